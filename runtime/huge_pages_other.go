//go:build !linux

package runtime

// adviseHugePages does nothing: this system gives no choice of pages, or makes
// it by itself.
func adviseHugePages([]byte) {}
