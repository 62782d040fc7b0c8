// Package tests drives the whole program over HTTP, on real databases of both engines.
package tests

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); runtime.GOMAXPROCS(0) < 4 && parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set("4") // most tests wait more than they work
	}
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		_ = checks.Value.Set("10") // sequences of some thirty requests
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	serverURL, stop, err := startPostgres()
	switch {
	case err == nil:
		postgresURL = serverURL
		defer stop()
	case errors.Is(err, errNoPostgres) && os.Getenv("CI") == "":
		fmt.Fprintln(os.Stderr, noPostgres)
	default:
		return 1, err
	}
	if os.Getenv("TEST_PGBOUNCER") != "" {
		stop, err := startPooler()
		if err != nil {
			return 1, err
		}
		defer stop()
	}
	if code = m.Run(); code != 0 {
		return code, nil
	}
	return code, unseenStatuses()
}

// partial reports whether the command line chose some of the tests.
func partial() bool {
	for _, name := range []string{"test.run", "test.skip", "test.bench", "test.fuzz", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return true
		}
	}
	return testing.Short()
}
