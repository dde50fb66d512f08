"""The benchmark's networks in PyTorch, layer for layer as models/*.net has them.

Pooling rounds up as Caffe does (ceil_mode), average pooling divides by the
whole window. Each net takes [N, C, H, W] and returns a list of score tensors
[N, classes]: the main classifier first, in training the auxiliary heads after
it.
"""

import torch
from torch import nn


def max_pool(size, stride, pad=0):
    return nn.MaxPool2d(size, stride, pad, ceil_mode=True)


def average_pool(size, stride):
    return nn.AvgPool2d(size, stride, ceil_mode=True)


def relu():
    return nn.ReLU(inplace=True)


class Chain(nn.Sequential):
    """Layers one after the other, with the scores as a list of one."""

    def forward(self, x):
        return [super().forward(x)]


def mlp():
    return Chain(
        nn.Flatten(),
        nn.Linear(784, 625), relu(), nn.Dropout(0.2),
        nn.Linear(625, 625), relu(), nn.Dropout(0.5),
        nn.Linear(625, 10),
    )


def lenet():
    return Chain(
        nn.Conv2d(1, 20, 5), max_pool(2, 2),
        nn.Conv2d(20, 50, 5), max_pool(2, 2),
        nn.Flatten(),
        nn.Linear(800, 500), relu(),
        nn.Linear(500, 10),
    )


def cifar10_quick():
    return Chain(
        nn.Conv2d(3, 32, 5, padding=2), max_pool(3, 2), relu(),
        nn.Conv2d(32, 32, 5, padding=2), relu(), average_pool(3, 2),
        nn.Conv2d(32, 64, 5, padding=2), relu(), average_pool(3, 2),
        nn.Flatten(),
        nn.Linear(1024, 64),
        nn.Linear(64, 10),
    )


def conv_norm(channels, out, kernel, stride=1):
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
    )


class Residual(nn.Module):
    """A branch added to its input, or to a projection of it."""

    def __init__(self, branch, projection=None):
        super().__init__()
        self.branch = branch
        self.projection = projection if projection is not None else nn.Identity()
        self.relu = relu()

    def forward(self, x):
        return self.relu(self.branch(x) + self.projection(x))


def resnet20():
    layers = [conv_norm(3, 16, 3), relu()]
    channels = 16
    for stage, out in enumerate([16, 32, 64]):
        for unit in range(3):
            stride = 2 if stage > 0 and unit == 0 else 1
            branch = nn.Sequential(conv_norm(channels, out, 3, stride), relu(), conv_norm(out, out, 3))
            layers.append(Residual(branch, conv_norm(channels, out, 1, stride) if stride == 2 else None))
            channels = out
    return Chain(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def alexnet():
    return Chain(
        nn.Conv2d(3, 96, 11, 4), relu(), nn.LocalResponseNorm(5, 1e-4, 0.75), max_pool(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), relu(), nn.LocalResponseNorm(5, 1e-4, 0.75), max_pool(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), relu(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), relu(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), relu(), max_pool(3, 2),
        nn.Flatten(),
        nn.Linear(9216, 4096), relu(), nn.Dropout(0.5),
        nn.Linear(4096, 4096), relu(), nn.Dropout(0.5),
        nn.Linear(4096, 1000),
    )


def conv_relu(channels, out, kernel, stride=1):
    return nn.Sequential(nn.Conv2d(channels, out, kernel, stride, kernel // 2), relu())


class Inception(nn.Module):
    def __init__(self, channels, n1, reduce3, n3, reduce5, n5, pool):
        super().__init__()
        self.branches = nn.ModuleList([
            conv_relu(channels, n1, 1),
            nn.Sequential(conv_relu(channels, reduce3, 1), conv_relu(reduce3, n3, 3)),
            nn.Sequential(conv_relu(channels, reduce5, 1), conv_relu(reduce5, n5, 5)),
            nn.Sequential(max_pool(3, 1, 1), conv_relu(channels, pool, 1)),
        ])

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def auxiliary_head(channels):
    return nn.Sequential(
        average_pool(5, 3), conv_relu(channels, 128, 1), nn.Flatten(),
        nn.Linear(2048, 1024), relu(), nn.Dropout(0.7), nn.Linear(1024, 1000),
    )


class GoogLeNet(nn.Module):
    auxiliary_weight = 0.3
    training_only = ["head1", "head2"]

    def __init__(self):
        super().__init__()
        self.to_4a = nn.Sequential(
            conv_relu(3, 64, 7, 2), max_pool(3, 2), nn.LocalResponseNorm(5, 1e-4, 0.75),
            conv_relu(64, 64, 1), conv_relu(64, 192, 3), nn.LocalResponseNorm(5, 1e-4, 0.75), max_pool(3, 2),
            Inception(192, 64, 96, 128, 16, 32, 32),
            Inception(256, 128, 128, 192, 32, 96, 64),
            max_pool(3, 2),
            Inception(480, 192, 96, 208, 16, 48, 64),
        )
        self.to_4d = nn.Sequential(
            Inception(512, 160, 112, 224, 24, 64, 64),
            Inception(512, 128, 128, 256, 24, 64, 64),
            Inception(512, 112, 144, 288, 32, 64, 64),
        )
        self.to_end = nn.Sequential(
            Inception(528, 256, 160, 320, 32, 128, 128),
            max_pool(3, 2),
            Inception(832, 256, 160, 320, 32, 128, 128),
            Inception(832, 384, 192, 384, 48, 128, 128),
            nn.AvgPool2d(7, 1), nn.Flatten(), nn.Dropout(0.4), nn.Linear(1024, 1000),
        )
        self.head1 = auxiliary_head(512)
        self.head2 = auxiliary_head(528)

    def forward(self, x):
        a = self.to_4a(x)
        d = self.to_4d(a)
        scores = [self.to_end(d)]
        if self.training:
            scores += [self.head1(a), self.head2(d)]
        return scores


def resnet50():
    layers = [conv_norm(3, 64, 7, 2), relu(), max_pool(3, 2)]
    channels = 64
    for stage, units in enumerate([3, 4, 6, 3]):
        middle = 64 << stage
        for unit in range(units):
            stride = 2 if stage > 0 and unit == 0 else 1
            branch = nn.Sequential(
                conv_norm(channels, middle, 1, stride), relu(),
                conv_norm(middle, middle, 3), relu(),
                conv_norm(middle, 4 * middle, 1),
            )
            layers.append(Residual(branch, conv_norm(channels, 4 * middle, 1, stride) if unit == 0 else None))
            channels = 4 * middle
    return Chain(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


class Net:
    """How to make a network, what it is fed, and how it is trained.

    bias_rate and bias_decay are the factors on the learning rate and the
    weight decay of biases: Caffe's lr_mult and decay_mult.
    """

    def __init__(self, make, shape, classes, momentum=0.9, decay=0.0, bias_rate=1, bias_decay=1, adam=False):
        self.make, self.shape, self.classes = make, shape, classes
        self.momentum, self.decay, self.adam = momentum, decay, adam
        self.bias_rate, self.bias_decay = bias_rate, bias_decay

    def model(self, training):
        model = self.make()
        if not training:
            for head in getattr(model, "training_only", []):
                delattr(model, head)
        return model.train(training)

    def optimizer(self, model, rate, capturable=False):
        groups = {}
        for name, parameter in model.named_parameters():
            bias = name.endswith(".bias")
            key = (self.bias_rate, self.bias_decay) if bias else (1, 1)
            groups.setdefault(key, []).append(parameter)
        groups = [
            {"params": list_, "lr": rate * key[0], "weight_decay": self.decay * key[1]}
            for key, list_ in groups.items()
        ]
        if self.adam:
            return torch.optim.Adam(groups, lr=rate, fused=True, capturable=capturable)
        return torch.optim.SGD(groups, lr=rate, momentum=self.momentum, fused=True)


NETS = {
    "mlp": Net(mlp, (1, 28, 28), 10, adam=True),
    "lenet": Net(lenet, (1, 28, 28), 10, decay=5e-4),
    "cifar10_quick": Net(cifar10_quick, (3, 32, 32), 10, decay=4e-3, bias_rate=2),
    "resnet20": Net(resnet20, (3, 32, 32), 10, decay=1e-4),
    "alexnet": Net(alexnet, (3, 227, 227), 1000, decay=5e-4, bias_rate=2, bias_decay=0),
    "googlenet": Net(GoogLeNet, (3, 224, 224), 1000, decay=2e-4, bias_rate=2, bias_decay=0),
    "resnet50": Net(resnet50, (3, 224, 224), 1000, decay=1e-4),
}
