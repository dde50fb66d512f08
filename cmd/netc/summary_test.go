package main

import (
	"encoding/json"
	"testing"

	"netc/models"
)

// TestModelSizes compares each model with the figures known for it: learned
// parameters, and multiply-adds of the test pass for one image.
func TestModelSizes(t *testing.T) {
	known := map[string]struct{ parameters, multiplyAdds int }{
		// Caffe's files give these parameters; the multiply-adds follow from the
		// shapes of their layers.
		"lenet":         {431_080, 2_293_000},
		"cifar10_quick": {145_578, 12_354_176},
		"autoencoder":   {2_837_314, 2_833_000},
		"alexnet":       {60_965_224, 724_406_816},
		"googlenet":     {6_998_552, 1_582_671_872},
		"resnet50":      {25_557_032, 3_857_973_248}, // the published 3.8 G
		"mlp":           {784*625 + 625 + 625*625 + 625 + 625*10 + 10, 784*625 + 625*625 + 625*10},
		// Three stages of 7, 6 and 6 convolutions, the last of which are half as
		// wide each way and twice as deep, with their 1x1 projections, and the
		// scores; each convolution with the factors and offsets of its channels.
		"resnet20": {16*27 + 6*16*144 + 32*144 + 5*32*288 + 32*16 + 64*288 + 5*64*576 + 64*32 + 2*(7*16+7*32+7*64) + 650,
			1024*(16*27+6*16*144) + 256*(32*144+5*32*288+32*16) + 64*(64*288+5*64*576+64*32) + 640},
	}
	for _, name := range models.All() {
		want, ok := known[name]
		if !ok {
			t.Errorf("%s: no figures are known", name)
			continue
		}
		o := done(t, ".", "summary", "--json", "--phase", "test", "../../models/"+name+".net")
		var got summary
		if err := json.Unmarshal([]byte(o.stdout), &got); err != nil {
			t.Fatal(err)
		}
		if got.Parameters != want.parameters || got.FlopsForward != 2*want.multiplyAdds*got.Batch {
			t.Errorf("%s: %d parameters and %d multiply-adds an image, want %d and %d",
				name, got.Parameters, got.FlopsForward/2/got.Batch, want.parameters, want.multiplyAdds)
		}
	}
	// The two classifiers half-way up are for training only.
	o := done(t, ".", "summary", "--json", "--phase", "train", "../../models/googlenet.net")
	var got summary
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || got.Parameters != 13_378_280 {
		t.Errorf("googlenet in training: %d parameters, error %v", got.Parameters, err)
	}
}
