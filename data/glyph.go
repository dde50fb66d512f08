package data

import (
	"fmt"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/gofont/gosmallcaps"
	"golang.org/x/image/font/gofont/gosmallcapsitalic"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// digitFonts are Go's fonts, in TrueType form.
var digitFonts = [][]byte{
	goregular.TTF, gobold.TTF, goitalic.TTF, gobolditalic.TTF, gomedium.TTF, gomediumitalic.TTF,
	gomono.TTF, gomonobold.TTF, gomonoitalic.TTF, gomonobolditalic.TTF, gosmallcaps.TTF, gosmallcapsitalic.TTF,
}

// point is a place in a glyph, x to the right and y down, in heights of the
// font.
type point struct{ x, y float64 }

// segment is one piece of an outline: its kind and the points that follow the
// one before it.
type segment struct {
	op     sfnt.SegmentOp
	points [3]point
}

// pointsOf is how many points each kind of segment has.
var pointsOf = [...]int{sfnt.SegmentOpMoveTo: 1, sfnt.SegmentOpLineTo: 1, sfnt.SegmentOpQuadTo: 2, sfnt.SegmentOpCubeTo: 3}

// digitOutlines gives the outlines of 0 to 9 in every font.
func digitOutlines() ([][10][]segment, error) {
	var outlines [][10][]segment
	for _, ttf := range digitFonts {
		font, err := sfnt.Parse(ttf)
		if err != nil {
			return nil, fmt.Errorf("reading a built-in font: %w", err)
		}
		var digits [10][]segment
		for digit := range digits {
			if digits[digit], err = outline(font, rune('0'+digit)); err != nil {
				return nil, fmt.Errorf("reading a built-in font: %w", err)
			}
		}
		outlines = append(outlines, digits)
	}
	return outlines, nil
}

func outline(font *sfnt.Font, r rune) ([]segment, error) {
	var buffer sfnt.Buffer
	index, err := font.GlyphIndex(&buffer, r)
	if err != nil {
		return nil, err
	}
	const height = 1024 // in pixels, whose 64ths the fixed numbers count
	loaded, err := font.LoadGlyph(&buffer, index, fixed.I(height), nil)
	if err != nil {
		return nil, err
	}
	var segments []segment
	for _, s := range loaded {
		piece := segment{op: s.Op}
		for i := range pointsOf[s.Op] {
			piece.points[i] = point{float64(s.Args[i].X) / (64 * height), float64(s.Args[i].Y) / (64 * height)}
		}
		segments = append(segments, piece)
	}
	return segments, nil
}
