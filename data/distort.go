package data

import (
	"math"
	"math/rand/v2"
)

// distortion bends a glyph as a hand would: a rotation, a slant, unequal
// scales, and two slow waves that displace it, so that no stroke stays as
// straight as the font has it.
type distortion struct {
	xx, xy, yx, yy float64 // the linear part
	waves          [2]wave
}

// wave displaces points along a direction by a sine of their place.
type wave struct {
	toX, toY     float64 // displacement, in heights of the font
	freqX, freqY float64 // radians a height
	phase        float64
}

// The ranges of the distortions, wide enough that a network must learn them
// and narrow enough that a person reads every digit.
const (
	mostRotation = 0.26 // radians, 15 degrees
	mostSlant    = 0.35
	mostStretch  = 0.30 // of the width against the height
	mostWave     = 0.045
)

// between draws a number in [-most, most).
func between(random *rand.Rand, most float64) float64 { return (2*random.Float64() - 1) * most }

func randomDistortion(random *rand.Rand) distortion {
	sin, cos := math.Sincos(between(random, mostRotation))
	slant := between(random, mostSlant)
	stretch := math.Exp(between(random, mostStretch))
	// Slant and stretch first, then the rotation.
	d := distortion{
		xx: cos * stretch, xy: cos*slant - sin,
		yx: sin * stretch, yy: sin*slant + cos,
	}
	for i := range d.waves {
		d.waves[i] = wave{
			toX: between(random, mostWave), toY: between(random, mostWave),
			freqX: between(random, 9), freqY: between(random, 9),
			phase: between(random, math.Pi),
		}
	}
	return d
}

func (d *distortion) apply(p point) point {
	moved := p
	for _, w := range d.waves {
		s := math.Sin(w.freqX*p.x + w.freqY*p.y + w.phase)
		moved.x += w.toX * s
		moved.y += w.toY * s
	}
	return point{d.xx*moved.x + d.xy*moved.y, d.yx*moved.x + d.yy*moved.y}
}
