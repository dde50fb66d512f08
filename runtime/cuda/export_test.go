package cuda

// PeakSource is for the tests of the package.
const PeakSource = peakSource
