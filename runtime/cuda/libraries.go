package cuda

// Libraries open what a program needs to run on a GPU. Package cuda/dl has the
// functions of the default build.
type Libraries struct {
	Driver func() (Driver, error)
	// Compiler opens NVRTC, of a version that suits a driver's (12040 is 12.4).
	Compiler func(driverVersion int) (Compiler, error)
}
