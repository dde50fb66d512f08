package data

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"strings"

	"netc/runtime"
)

// lineWidth is how many columns of text a preview fills.
const lineWidth = 120

// Preview draws the first n training samples of a data set, a name or a folder,
// as text: two rows of pixels a line of half blocks, with the labels above.
func Preview(source string, n int, w io.Writer) error {
	set, err := runtime.Open(source)
	if err != nil {
		return err
	}
	split := set.Train
	height, width := split.Shape[1], split.Shape[2]
	perLine := max(1, (lineWidth+1)/(width+1))
	out := bufio.NewWriter(w)
	for first := 0; first < min(n, split.N); first += perLine {
		last := min(first+perLine, n, split.N)
		for i := first; i < last; i++ {
			fmt.Fprintf(out, "%-*d ", width, split.Labels[i])
		}
		fmt.Fprintln(out)
		for y := 0; y < height; y += 2 {
			var line strings.Builder
			for i := first; i < last; i++ {
				image := grey(split, i)
				for x := range width {
					upper := image[y*width+x] >= 128
					lower := y+1 < height && image[(y+1)*width+x] >= 128
					switch {
					case upper && lower:
						line.WriteRune('█')
					case upper:
						line.WriteRune('▀')
					case lower:
						line.WriteRune('▄')
					default:
						line.WriteByte(' ')
					}
				}
				line.WriteByte(' ')
			}
			fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
		}
	}
	return out.Flush()
}

// grey gives a sample's brightness, 0 to 255 a pixel. Channels are averaged,
// and floats are stretched from their smallest to their largest.
func grey(split *runtime.Split, sample int) []byte {
	channels, area := split.Shape[0], split.Shape[1]*split.Shape[2]
	values := sampleBytes(split, sample)
	grey := make([]byte, area)
	for i := range grey {
		sum := 0
		for c := range channels {
			sum += int(values[c*area+i])
		}
		grey[i] = byte(sum / channels)
	}
	return grey
}

// sampleBytes gives a sample's values, as bytes.
func sampleBytes(split *runtime.Split, sample int) []byte {
	count := split.Shape[0] * split.Shape[1] * split.Shape[2]
	if split.Bytes != nil {
		return split.Bytes[sample*count : (sample+1)*count]
	}
	values := split.Floats[sample*count : (sample+1)*count]
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		lo, hi = min(lo, float64(v)), max(hi, float64(v))
	}
	stretched := make([]byte, count)
	for i, v := range values {
		if hi > lo {
			stretched[i] = byte(math.Round(255 * (float64(v) - lo) / (hi - lo)))
		}
	}
	return stretched
}

// PreviewPNG draws the first n training samples of a data set into a PNG file,
// a square of them, each twice its size. Three channels are red, green and
// blue; any other number is averaged to grey.
func PreviewPNG(source string, n int, path string) error {
	set, err := runtime.Open(source)
	if err != nil {
		return err
	}
	split := set.Train
	n = min(n, split.N)
	if n < 1 {
		return fmt.Errorf("a picture of %d samples: give at least 1", n)
	}
	const zoom, gap = 2, 2
	height, width := split.Shape[1], split.Shape[2]
	columns := int(math.Ceil(math.Sqrt(float64(n))))
	rows := (n + columns - 1) / columns
	picture := image.NewRGBA(image.Rect(0, 0, columns*(zoom*width+gap), rows*(zoom*height+gap)))
	for i := range n {
		values := sampleBytes(split, i)
		if split.Shape[0] != 3 {
			values = grey(split, i)
		}
		left, top := i%columns*(zoom*width+gap), i/columns*(zoom*height+gap)
		for y := range zoom * height {
			for x := range zoom * width {
				at := y/zoom*width + x/zoom
				c := color.RGBA{values[at], values[at], values[at], 255}
				if split.Shape[0] == 3 {
					c.G, c.B = values[height*width+at], values[2*height*width+at]
				}
				picture.SetRGBA(left+x, top+y, c)
			}
		}
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := png.Encode(file, picture); err != nil {
		return err
	}
	return file.Close()
}
