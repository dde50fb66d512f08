package cuda

import (
	"errors"
	"fmt"
)

// oldestDriver is the first version that has every call in the table of
// package dl: CUDA 11.4.
const oldestDriver = 11040

// gpu is one device with its primary context, current on the calling thread.
type gpu struct {
	Driver
	libraries  Libraries
	device     Device
	name       string
	version    int // of the driver: 12040 is 12.4
	capability int // 90 is compute capability 9.0
	shared     int // bytes of shared memory that a block can have
	context    Context
}

// openGPU readies the first device that the driver shows; the environment
// variable CUDA_VISIBLE_DEVICES chooses another. An error says what is missing.
func openGPU(libraries Libraries) (*gpu, error) {
	driver, err := libraries.Driver()
	if err != nil {
		return nil, err
	}
	g := &gpu{Driver: driver, libraries: libraries}
	if err := g.start(); err != nil {
		return nil, err
	}
	if g.context, err = g.RetainPrimary(g.device); err != nil {
		return nil, err
	}
	if err := g.SetCurrent(g.context); err != nil {
		return nil, errors.Join(err, g.ReleasePrimary(g.device))
	}
	return g, nil
}

// start initializes the driver and asks what there is.
func (g *gpu) start() (err error) {
	if err := g.Init(); err != nil {
		return explainInit(err)
	}
	if g.version, err = g.Version(); err != nil {
		return err
	}
	if g.version < oldestDriver {
		return &MissingError{What: "the NVIDIA driver is too old", Reason: "it is for CUDA " + versionText(g.version),
			Help: "install a driver for CUDA " + versionText(oldestDriver) + " or newer"}
	}
	count, err := g.DeviceCount()
	if err != nil {
		return explainInit(err)
	}
	if count == 0 {
		return explainInit(&CallError{Call: "cuDeviceGetCount", Code: CodeNoDevice, Text: "no device"})
	}
	if g.device, err = g.Device(0); err != nil {
		return err
	}
	if g.name, err = g.DeviceName(g.device); err != nil {
		return err
	}
	major, err := g.DeviceAttribute(g.device, CapabilityMajor)
	if err != nil {
		return err
	}
	minor, err := g.DeviceAttribute(g.device, CapabilityMinor)
	if err != nil {
		return err
	}
	g.capability = 10*major + minor
	g.shared, err = g.DeviceAttribute(g.device, MaxSharedPerBlock)
	return err
}

// explainInit says what a driver that does not start means.
func explainInit(err error) error {
	switch {
	case isCode(err, CodeNoDevice):
		return &MissingError{What: "no GPU", Reason: "the NVIDIA driver finds no device (" + err.Error() + ")",
			Help: "see whether nvidia-smi lists one, and what CUDA_VISIBLE_DEVICES hides"}
	case isCode(err, CodeSystemMismatch):
		return &MissingError{What: "the NVIDIA driver does not fit", Reason: "its library is of another version than its kernel module (" + err.Error() + ")",
			Help: "restart the machine, or install the driver again"}
	}
	return &MissingError{What: "the NVIDIA driver does not start", Reason: err.Error(), Help: "see what nvidia-smi says"}
}

// close gives the context back.
func (g *gpu) close() error { return g.ReleasePrimary(g.device) }

// versionText is "12.4" of 12040.
func versionText(version int) string {
	return fmt.Sprintf("%d.%d", version/1000, version%1000/10)
}

// capabilityText is "9.0" of 90.
func capabilityText(capability int) string {
	return fmt.Sprintf("%d.%d", capability/10, capability%10)
}
