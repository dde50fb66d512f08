package cuda

// PeakSource is for the tests of the package.
var PeakSource = peakSource

// TransformValues is for the tests of the package.
var TransformValues = transformValues
