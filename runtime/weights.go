package runtime

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// weightsFile is the parameters' file in a run folder.
const weightsFile = "weights.safetensors"

// ReadTensorFile reads a weights file by its extension, .safetensors or .npz;
// for a run folder it reads the weights in it.
func ReadTensorFile(path string) (*TensorFile, error) {
	if isFolder(path) {
		path = filepath.Join(path, weightsFile)
	}
	switch extension := strings.ToLower(filepath.Ext(path)); extension {
	case ".safetensors":
		return ReadSafetensors(path)
	case ".npz":
		return readNPZ(path)
	case ".caffemodel":
		return nil, fmt.Errorf("%s: a built program reads .safetensors and .npz; netc itself, as in \"netc test\", reads .caffemodel too", path)
	default:
		return nil, fmt.Errorf("%s: weights are read from .safetensors or .npz files", path)
	}
}

// readNPZ reads NumPy's archive: a zip file of .npy files.
func readNPZ(path string) (*TensorFile, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		if _, statErr := os.Stat(path); statErr != nil {
			return nil, statErr
		}
		return nil, fmt.Errorf("%s: not an .npz file (%v)", path, err)
	}
	defer archive.Close()
	file := &TensorFile{Path: path}
	for _, member := range archive.File {
		t, err := readNPZMember(member)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, member.Name, err)
		}
		file.Tensors = append(file.Tensors, t)
	}
	return file, nil
}

func readNPZMember(member *zip.File) (Tensor, error) {
	r, err := member.Open()
	if err != nil {
		return Tensor{}, err
	}
	defer r.Close()
	t, err := DecodeNPY(r)
	t.Name = strings.TrimSuffix(member.Name, ".npy")
	return t, err
}

// LoadWeights copies a file's tensors into the parameters of the same name and
// gives the names of the parameters that the file lacks, which it leaves as
// they are. A tensor of another shape is an error: it belongs to another
// network. Nothing is copied unless everything fits. Where a phase may have run
// before, Arena.Changed is to follow.
func LoadWeights(parameters []Parameter, file *TensorFile) (missing []string, err error) {
	type copying struct{ to, from []float32 }
	var copies []copying
	for _, p := range parameters {
		t, found := file.Find(p.Name)
		if !found {
			missing = append(missing, p.Name)
			continue
		}
		if t.F32 == nil {
			return nil, fmt.Errorf("%s: tensor %s holds integers, the network's parameter floats", file.Path, p.Name)
		}
		if !slices.Equal(t.Shape, p.Shape) {
			return nil, fmt.Errorf("%s: tensor %s is %s, but the network's parameter is %s: these are another network's weights", file.Path, p.Name, shapeText(t.Shape), shapeText(p.Shape))
		}
		copies = append(copies, copying{p.F32, t.F32})
	}
	if len(copies) == 0 && len(parameters) > 0 {
		return nil, fmt.Errorf("%s: none of its tensors (%s) has the name of a parameter (%s): these are another network's weights",
			file.Path, listed(file.Names()), listed(parameterNames(parameters)))
	}
	for _, c := range copies {
		copy(c.to, c.from)
	}
	return missing, nil
}

func parameterNames(parameters []Parameter) []string {
	names := make([]string, len(parameters))
	for i, p := range parameters {
		names[i] = p.Name
	}
	return names
}

// tensorsOf gives the parameters as plain tensors.
func tensorsOf(parameters []Parameter) []Tensor {
	tensors := make([]Tensor, len(parameters))
	for i, p := range parameters {
		tensors[i] = p.Tensor
	}
	return tensors
}

// WeightsSHA256 is the hexadecimal SHA-256 over the parameters in the network's
// order: for each a line with its name and shape, then its values as
// little-endian float32. Equal sums mean equal weights, bit for bit.
func WeightsSHA256(parameters []Parameter) string {
	sum := sha256.New()
	for _, p := range parameters {
		fmt.Fprintf(sum, "%s %s\n", p.Name, shapeText(p.Shape))
		writeValues(sum, p.Tensor) // a hash never fails
	}
	return hex.EncodeToString(sum.Sum(nil))
}
