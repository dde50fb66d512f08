package compiler

import "netc/spec/diag"

// The codes of messages about a network as a whole.
const (
	CodeSetting  = "N118" // a SettingError
	CodeNoLayers = "N119"
	CodeExpected = "N121" // N120 is the layers'
)

func init() {
	diag.Explain(CodeSetting, `The network cannot be compiled with a setting of the run file or the command line.

    netc run models/lenet.net --in data=x.npy --grad conv9=g.npy     # there is no conv9

The message says which. "netc summary FILE" lists the network's tensors.`)
	diag.Explain(CodeExpected, `A line of [expect] names a result that the test does not measure, so it could never be met.

    [expect]
    test.acuracy = ">= 0.99"     # wrong
    test.accuracy = ">= 0.99"    # right: the net has accuracy = Accuracy(ip2, label)

The results are "test." and the name of a loss, an accuracy or another tensor of one number that no layer reads.`)
	diag.Explain(CodeNoLayers, `The network has no layers in any phase, so there is nothing to compile.

    net Empty
    data = input [1, 28, 28]      # inputs alone are no network

Add a layer, or look at the guards: @deploy holds only where the run file's stages name it.`)
}
