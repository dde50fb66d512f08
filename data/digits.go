package data

import (
	"context"
	"fmt"
	"image"
	"image/draw"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/vector"

	"netc/runtime"
)

// DigitsName is the name under which generated digits are opened.
const DigitsName = "digits"

// The sizes of an image, as in MNIST: the digit fills a box of 20x20 in a
// field of 28x28, with its centre of mass in the middle.
const (
	fieldSize = 28
	boxSize   = 20
	fine      = 2 // the digit is drawn this many times larger, then averaged down
	fineField = fine * fieldSize
)

// GenerateDigits draws a labelled set of digits in the manner of MNIST, white
// on black, from Go's fonts, bent and drawn with strokes of varying weight. The
// same seed gives the same set. It is written as MNIST's four files into a
// folder, "" for Folder(DigitsName), which appears only when the set is
// complete. A folder that holds something else is refused.
func GenerateDigits(ctx context.Context, folder string, train, test int, seed uint64, progress io.Writer) (string, error) {
	if train < 1 || test < 1 {
		return "", fmt.Errorf("%d training and %d test digits: a set needs at least one of each", train, test)
	}
	if folder == "" {
		var err error
		if folder, err = Folder(DigitsName); err != nil {
			return "", err
		}
	}
	if err := mayReplace(folder); err != nil {
		return "", err
	}
	outlines, err := digitOutlines()
	if err != nil {
		return "", err
	}
	partial := folder + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return "", err
	}
	if err := os.MkdirAll(partial, 0o777); err != nil {
		return "", err
	}
	for number, split := range []struct {
		prefix string
		count  int
	}{{"train", train}, {"t10k", test}} {
		images, labels, err := drawDigits(ctx, outlines, split.count, seed, uint64(number), progress)
		if err == nil {
			err = writeIDX(filepath.Join(partial, split.prefix+"-images-idx3-ubyte.gz"), images, split.count, fieldSize, fieldSize)
		}
		if err == nil {
			err = writeIDX(filepath.Join(partial, split.prefix+"-labels-idx1-ubyte.gz"), labels, split.count)
		}
		if err != nil {
			os.RemoveAll(partial)
			return "", err
		}
	}
	note := fmt.Sprintf("%d + %d digits drawn by netc from Go's fonts with seed %d; not handwriting, results on it are not MNIST's", train, test, seed)
	if err := writeDescription(partial, runtime.Description{Name: DigitsName, Generated: true, Note: note}); err != nil {
		return "", err
	}
	return folder, moveInto(folder, partial)
}

// mayReplace refuses a folder with other content than generated digits.
func mayReplace(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) == 0 {
		return nil // not there, or empty
	}
	if set, err := runtime.Open(folder); err == nil && set.Generated && set.Name == DigitsName {
		return nil
	}
	return fmt.Errorf("%s holds something other than generated digits: name another folder with --out DIR", folder)
}

// drawDigits draws one split on all processors. Each digit has a random stream
// of its own, so neither their number nor the order of drawing changes one.
func drawDigits(ctx context.Context, outlines [][10][]segment, count int, seed, split uint64, progress io.Writer) (images, labels []byte, err error) {
	images, labels = make([]byte, count*fieldSize*fieldSize), make([]byte, count)
	var next, drawn atomic.Int64
	var workers sync.WaitGroup
	const block = 500
	var speaking sync.Mutex
	for range goruntime.GOMAXPROCS(0) {
		workers.Go(func() {
			pen := newPen()
			for ctx.Err() == nil {
				first := int(next.Add(block)) - block
				if first >= count {
					return
				}
				last := min(first+block, count)
				for i := first; i < last; i++ {
					random := rand.New(rand.NewPCG(seed, split<<48|uint64(i)))
					digit := random.IntN(10)
					labels[i] = byte(digit)
					pen.draw(outlines[random.IntN(len(outlines))][digit], random, images[i*fieldSize*fieldSize:][:fieldSize*fieldSize])
				}
				if done := drawn.Add(int64(last - first)); done%10000 == 0 || done == int64(count) {
					speaking.Lock()
					fmt.Fprintf(progress, "drew %d of %d %s digits\n", done, count, [...]string{"training", "test"}[split])
					speaking.Unlock()
				}
			}
		})
	}
	workers.Wait()
	return images, labels, ctx.Err()
}

// pen draws digits, one after the other, in buffers of its own.
type pen struct {
	raster *vector.Rasterizer
	mask   *image.Alpha
	ink    [fineField * fineField]float64
	blur   [fineField * fineField]float64
}

func newPen() *pen {
	bounds := image.Rect(0, 0, fineField, fineField)
	p := &pen{raster: vector.NewRasterizer(fineField, fineField), mask: image.NewAlpha(bounds)}
	p.raster.DrawOp = draw.Src
	return p
}

// draw distorts a glyph and draws it into a field of bytes.
func (p *pen) draw(glyph []segment, random *rand.Rand, field []byte) {
	bent := bend(glyph, random)
	p.raster.Reset(fineField, fineField)
	p.raster.DrawOp = draw.Src
	for i, s := range bent {
		a, b, c := s.points[0], s.points[1], s.points[2]
		switch s.op {
		case sfnt.SegmentOpMoveTo:
			if i > 0 {
				p.raster.ClosePath()
			}
			p.raster.MoveTo(float32(a.x), float32(a.y))
		case sfnt.SegmentOpLineTo:
			p.raster.LineTo(float32(a.x), float32(a.y))
		case sfnt.SegmentOpQuadTo:
			p.raster.QuadTo(float32(a.x), float32(a.y), float32(b.x), float32(b.y))
		case sfnt.SegmentOpCubeTo:
			p.raster.CubeTo(float32(a.x), float32(a.y), float32(b.x), float32(b.y), float32(c.x), float32(c.y))
		}
	}
	p.raster.ClosePath()
	p.raster.Draw(p.mask, p.mask.Bounds(), image.Opaque, image.Point{})
	for i, coverage := range p.mask.Pix {
		p.ink[i] = float64(coverage) / 255
	}
	p.weigh(0.28+0.44*random.Float64(), 2+3*random.Float64())
	p.place(field, 0.8+0.2*random.Float64())
}

// bend distorts an outline and fits it into the box, in the middle of the fine
// field, keeping its proportions.
func bend(glyph []segment, random *rand.Rand) []segment {
	d := randomDistortion(random)
	bent := make([]segment, len(glyph))
	lo, hi := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for i, s := range glyph {
		bent[i].op = s.op
		for n := range pointsOf[s.op] {
			q := d.apply(s.points[n])
			bent[i].points[n] = q
			lo = point{min(lo.x, q.x), min(lo.y, q.y)}
			hi = point{max(hi.x, q.x), max(hi.y, q.y)}
		}
	}
	scale := fine * (boxSize - 1) / max(hi.x-lo.x, hi.y-lo.y) // a pixel for what the strokes gain in weighing
	middle := point{(lo.x + hi.x) / 2, (lo.y + hi.y) / 2}
	for i := range bent {
		for n := range pointsOf[bent[i].op] {
			q := &bent[i].points[n]
			q.x = (q.x-middle.x)*scale + fineField/2
			q.y = (q.y-middle.y)*scale + fineField/2
		}
	}
	return bent
}

// weigh changes the weight of the strokes: blurred, and cut off at a level
// below one half they grow, above it they shrink. The slope of the cut decides
// how soft their edges are.
func (p *pen) weigh(level, slope float64) {
	smooth(p.ink[:], p.blur[:], 1)
	smooth(p.blur[:], p.ink[:], fineField)
	most := 0.0
	for _, v := range p.ink {
		most = max(most, v)
	}
	for i, v := range p.ink { // relative to the darkest, so that thin strokes are not lost
		p.ink[i] = min(1, max(0, (v/most-level)*slope+0.5))
	}
}

// smooth convolves with 1 4 6 4 1, a step apart, and leaves a border of two
// zero.
func smooth(from, to []float64, step int) {
	clear(to)
	for i := 2 * step; i < len(from)-2*step; i++ {
		to[i] = (from[i-2*step] + from[i+2*step] + 4*(from[i-step]+from[i+step]) + 6*from[i]) / 16
	}
}

// place averages the fine field down, moved so that its centre of mass comes to
// the middle, and scales the ink to a brightness.
func (p *pen) place(field []byte, brightness float64) {
	var mass, atX, atY float64
	for i, v := range p.ink {
		mass += v
		atX += v * float64(i%fineField)
		atY += v * float64(i/fineField)
	}
	const middle = (fineField - 1) / 2.0
	moveX, moveY := int(math.Round(atX/mass-middle)), int(math.Round(atY/mass-middle))
	for i := range field {
		sum := 0.0
		for sub := range fine * fine {
			x, y := fine*(i%fieldSize)+sub%fine+moveX, fine*(i/fieldSize)+sub/fine+moveY
			if x >= 0 && x < fineField && y >= 0 && y < fineField {
				sum += p.ink[y*fineField+x]
			}
		}
		field[i] = byte(math.Round(255 * brightness * sum / (fine * fine)))
	}
}
