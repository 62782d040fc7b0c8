package config

import (
	"os"
	"runtime/debug"
)

const (
	// collectAt is GOGC: how much the heap grows before it is collected, in percent.
	collectAt = 50
	// ballast counts as heap, in bytes. It takes no memory.
	ballast = 40 << 20
)

// SetCollector sets Go's garbage collector for a server, unless GOGC or GOMEMLIMIT, which Go itself reads, is in the environment.
// A heap of 8 MB is collected as rarely as with GOGC=300, which saves CPU time for some 20 MB. A heap of more
// than 40 MB, with the lists of clients, is collected more often than with GOGC=100. The caller keeps the ballast that it returns.
func SetCollector() []byte {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	debug.SetGCPercent(collectAt)
	memory := make([]byte, ballast)
	release(memory) // Go writes zeros to it, if it has been in use
	return memory
}
