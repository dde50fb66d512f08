package cuda

// PeakSource is for the tests of the package.
const PeakSource = peakSource

// TransformValues is for the tests of the package.
var TransformValues = transformValues
