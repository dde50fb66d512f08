package layer

import (
	"reflect"
	"slices"
	"strings"

	"netc/ir"
	"netc/spec"
	"netc/spec/diag"
)

// fillerKind is one way to start a parameter, with Caffe's name and fields.
type fillerKind struct {
	name   string
	doc    string
	fields []*field
	create func() any // a new fields struct, as a pointer
	filler func(fields any) ir.Filler
	// fits says why the filler cannot start a parameter of that shape, or "".
	fits func(shape ir.Shape) string
}

func newFillerKind[F any](name, doc string, filler func(*F) ir.Filler) *fillerKind {
	return &fillerKind{
		name: name, doc: doc,
		fields: fieldsOf(reflect.TypeFor[F]()),
		create: func() any { return new(F) },
		filler: func(fields any) ir.Filler { return filler(fields.(*F)) },
	}
}

func (k *fillerKind) onlyFor(fits func(ir.Shape) string) *fillerKind {
	k.fits = fits
	return k
}

type constantFields struct {
	Value float64 `net:"value" default:"0" doc:"every element"`
}

type uniformFields struct {
	Min float64 `net:"min" default:"0" doc:"lower end"`
	Max float64 `net:"max" default:"1" doc:"upper end"`
}

type gaussianFields struct {
	Mean   float64 `net:"mean" default:"0" doc:"mean"`
	Std    float64 `net:"std" default:"1" atLeast:"0" doc:"standard deviation"`
	Sparse int     `net:"sparse" default:"-1" atLeast:"-1" doc:"how many non-zero inputs an output keeps on average; -1 keeps all"`
}

// fanFields serve the fillers that are scaled by the number n of a parameter's
// inputs, outputs, or the mean of both.
type fanFields struct {
	Variance string `net:"variance_norm" default:"fan_in" words:"fan_in fan_out average" doc:"what n counts: inputs, outputs, or the mean of both"`
}

type orthogonalFields struct {
	Gain float64 `net:"gain" default:"1" doc:"factor on the orthonormal matrix"`
}

type noFields struct{}

// fillerKinds are Caffe's fillers, and orthogonal (Saxe, McClelland and
// Ganguli, 2014).
var fillerKinds = []*fillerKind{
	newFillerKind("constant", "every element is value", func(f *constantFields) ir.Filler {
		return ir.Filler{Value: f.Value}
	}),
	newFillerKind("uniform", "uniform between min and max", func(f *uniformFields) ir.Filler {
		return ir.Filler{Min: f.Min, Max: f.Max}
	}),
	newFillerKind("gaussian", "normal with mean and standard deviation", func(f *gaussianFields) ir.Filler {
		return ir.Filler{Mean: f.Mean, Std: f.Std, Sparse: max(f.Sparse, 0)}
	}),
	newFillerKind("xavier", "uniform between -sqrt(3/n) and sqrt(3/n)", func(f *fanFields) ir.Filler {
		return ir.Filler{Variance: f.Variance}
	}).onlyFor(hasFan),
	newFillerKind("msra", "normal with standard deviation sqrt(2/n)", func(f *fanFields) ir.Filler {
		return ir.Filler{Variance: f.Variance}
	}).onlyFor(hasFan),
	newFillerKind("orthogonal", "orthonormal rows or columns, times gain", func(f *orthogonalFields) ir.Filler {
		return ir.Filler{Gain: f.Gain}
	}).onlyFor(isMatrix),
	newFillerKind("bilinear", "the kernel that enlarges an image by interpolation, for Deconvolution", func(*noFields) ir.Filler {
		return ir.Filler{}
	}).onlyFor(isSquareKernel),
	newFillerKind("positive_unitball", "uniform between 0 and 1, each row divided by its sum", func(*noFields) ir.Filler {
		return ir.Filler{}
	}).onlyFor(hasFan),
}

func hasFan(shape ir.Shape) string {
	if len(shape) == 0 {
		return "needs a parameter with at least one axis"
	}
	return ""
}

func isMatrix(shape ir.Shape) string {
	if len(shape) < 2 {
		return "needs a parameter with at least two axes"
	}
	return ""
}

func isSquareKernel(shape ir.Shape) string {
	if len(shape) != 4 || shape[2] != shape[3] {
		return "needs a parameter with four axes and a square kernel"
	}
	return ""
}

func fillerNames() []string {
	var names []string
	for _, k := range fillerKinds {
		names = append(names, k.name)
	}
	return names
}

func fillerKindNamed(name string) *fillerKind {
	for _, k := range fillerKinds {
		if strings.EqualFold(k.name, name) {
			return k
		}
	}
	return nil
}

// filler reads "xavier", "gaussian { std: 0.01 }" or "{ type: gaussian std: 0.01 }".
func (r *reader) filler(field string, v spec.Value) (ir.Filler, bool) {
	var name spec.Value
	given := v.Fields
	switch v.Kind {
	case spec.Word, spec.String:
		name = v
	case spec.Block:
		name = spec.Value{Text: "constant", Span: v.Span} // Caffe's default
		given = nil
		for _, f := range v.Fields {
			if f.Name != "type" {
				given = append(given, f)
				continue
			}
			if f.Value.Kind != spec.Word && f.Value.Kind != spec.String {
				return ir.Filler{}, r.wrongKind("type", "a filler's name", f.Value)
			}
			name = f.Value
		}
	default:
		ok := r.wrongKind(field, "a filler", v)
		if v.Kind == spec.Number {
			(*r.messages)[len(*r.messages)-1].Helpf("write %s: constant { value: %s }", field, describe(v))
		}
		return ir.Filler{}, ok
	}
	kind := fillerKindNamed(name.Text)
	if kind == nil {
		d := r.messages.Errorf(codeValue, name.Span, "there is no filler %q", name.Text)
		if near := diag.Nearest(name.Text, fillerNames()); near != "" {
			d.Helpf("did you mean %s? The fillers are %s", near, strings.Join(fillerNames(), ", "))
		} else {
			d.Helpf("the fillers are %s", strings.Join(fillerNames(), ", "))
		}
		return ir.Filler{}, false
	}
	inner := reader{messages: r.messages, owner: kind.name, page: "fillers", place: v.Span, tolerated: kind.unused()}
	fields := kind.create()
	if !inner.read(given, fields) {
		return ir.Filler{}, false
	}
	filler := kind.filler(fields)
	filler.Kind = kind.name
	if filler.Kind == "uniform" && filler.Max < filler.Min {
		r.messages.Errorf(codeValue, v.Span, "uniform filler from %g to %g: min is above max", filler.Min, filler.Max)
		return ir.Filler{}, false
	}
	return filler, true
}

// unused lists the fields of other kinds, which Caffe lets stand unused.
func (k *fillerKind) unused() []string {
	var names []string
	for _, other := range fillerKinds {
		for _, f := range other.fields {
			own := slices.ContainsFunc(k.fields, func(mine *field) bool { return mine.name == f.name })
			if !own && !slices.Contains(names, f.name) {
				names = append(names, f.name)
			}
		}
	}
	return names
}
