package tests

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// asNobody has what a function itself opens judged by the files' modes, which root may pass over.
func asNobody(t *testing.T, file string, do func()) {
	t.Helper()
	if os.Getuid() == 0 {
		// The way to the file, which is of t.TempDir, is its owner's alone.
		require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(file)), 0o711))
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		require.NoError(t, syscall.Setfsuid(65534)) // of this thread; root's powers over files go with it
		defer func() { require.NoError(t, syscall.Setfsuid(0)) }()
	}
	do()
}
