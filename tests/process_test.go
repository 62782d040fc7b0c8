package tests

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waitLimit limits every wait for the program. It is far more than a busy machine needs.
const waitLimit = 30 * time.Second

// built is the directory of the program's binary, and the number of tests that use it.
var built struct {
	sync.Mutex
	dir   string
	tests int
}

// buildProgram builds the program unless another test has done so. It must be called before t.Parallel: then the binary stays
// until the last of the parallel tests ends.
func buildProgram(t testing.TB) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector does not see into the program")
	}
	built.Lock()
	defer built.Unlock()
	if built.tests == 0 {
		dir, err := os.MkdirTemp("", "taskapi-program-")
		require.NoError(t, err)
		args := []string{"build", "-o", filepath.Join(dir, "taskapi")}
		if mode := testing.CoverMode(); mode != "" { // as of the tests themselves: https://go.dev/doc/build-cover
			args = append(args, "-covermode="+mode, "-coverpkg=./...")
		}
		build := exec.Command("go", append(args, ".")...)
		build.Dir = ".."
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
		built.dir = dir
	}
	built.tests++
	t.Cleanup(func() {
		built.Lock()
		defer built.Unlock()
		if built.tests--; built.tests == 0 {
			_ = os.RemoveAll(built.dir)
		}
	})
}

// home is a directory for the program to run in.
type home string

func newHome(t testing.TB) home {
	t.Helper()
	return home(t.TempDir())
}

func (h home) path(name string) string { return filepath.Join(string(h), name) }

// write creates a file with the mode, whatever the umask.
func (h home) write(t testing.TB, name, text string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.WriteFile(h.path(name), []byte(text), mode))
	require.NoError(t, os.Chmod(h.path(name), mode))
}

func (h home) read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(h.path(name))
	require.NoError(t, err)
	return string(text)
}

// command prepares the program with settings, NAME=value, and nothing else in its environment.
func (h home) command(ctx context.Context, settings, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(built.dir, "taskapi"), args...)
	cmd.Dir = string(h)
	cmd.Env = append([]string{"HOME=" + string(h), "GOCOVERDIR=" + flag.Lookup("test.gocoverdir").Value.String()}, settings...)
	return cmd
}

// outcome is the output and the exit code of a program that has ended.
type outcome struct {
	stdout, stderr string
	code           int
}

// run waits for the end of the program.
func (h home) run(t testing.TB, settings []string, args ...string) outcome {
	t.Helper()
	return h.runWith(t, "", settings, args...)
}

// runWith is run with a text on stdin.
func (h home) runWith(t testing.TB, stdin string, settings []string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := h.command(ctx, settings, args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "the program did not end: %s", &stderr)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// token runs the token command and returns the one line that it prints.
func (h home) token(t testing.TB, settings []string, args ...string) string {
	t.Helper()
	got := h.run(t, settings, append([]string{"token"}, args...)...)
	require.Zero(t, got.code, got.stderr)
	require.Regexp(t, `\A[\w-]+\.[\w-]+\.[\w-]+\n\z`, got.stdout)
	return strings.TrimSpace(got.stdout)
}

// process is a running program.
type process struct {
	*exec.Cmd
	stdout, stderr logBuffer
	address        string // as the program says it
	url            string
	ended          chan struct{}
}

var announced = regexp.MustCompile(`(?:http://|"msg":"listening","address":")([^", ]+)`)

// start serves on a free port until the test ends.
func (h home) start(t testing.TB, settings ...string) *process {
	t.Helper()
	p := h.begin(t, append([]string{"PORT=0"}, settings...))
	p.awaitStart(t)
	return p
}

func (p *process) awaitStart(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool {
		found := announced.FindStringSubmatch(p.stderr.String())
		if found != nil {
			p.address = found[1]
		}
		return found != nil || p.hasEnded()
	}, waitLimit, 5*time.Millisecond, "the program neither started nor ended: %s", &p.stderr)
	require.NotEmpty(t, p.address, "the program did not start: %s", &p.stderr)
	p.url = "http://" + p.address            // of a wildcard Go makes the loopback address
	p.call(t, 200, "GET", "/health", "", "") // by then it has said all that it says at its start
}

// begin runs the program until the test ends.
func (h home) begin(t testing.TB, settings []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: h.command(context.Background(), settings, args), ended: make(chan struct{})}
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	require.NoError(t, p.Start())
	go func() {
		_ = p.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
	})
	return p
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop sends a signal and returns the exit code, and how long the end took.
func (p *process) stop(t testing.TB, signal os.Signal) (code int, took time.Duration) {
	t.Helper()
	sent := time.Now()
	require.NoError(t, p.Process.Signal(signal))
	return p.awaitEnd(t), time.Since(sent)
}

func (p *process) awaitEnd(t testing.TB) (code int) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(waitLimit):
		require.Fail(t, "the program did not end", "%s", &p.stderr)
	}
	return p.ProcessState.ExitCode()
}

// newConnections sends each request on a connection of its own.
var newConnections = &http.Client{Timeout: waitLimit, Transport: &http.Transport{DisableKeepAlives: true}}

// try sends a request with an optional token and JSON body, and further headers.
func (p *process) try(method, path, token, body string, header ...http.Header) (answer, error) {
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, further := range header {
		maps.Copy(req.Header, further)
	}
	response, err := newConnections.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return answer{response, read}, err
}

// call sends a request, checks it and the answer against the OpenAPI document, and requires a status.
func (p *process) call(t testing.TB, status int, method, path, token, body string) answer {
	t.Helper()
	got, err := p.try(method, path, token, body)
	require.NoError(t, err)
	judge, err := programJudge()
	require.NoError(t, err)
	judge.check(t, got.Request, []byte(body), got)
	require.Equal(t, status, got.StatusCode, "%s %s: %s", method, path, got.body)
	return got
}

// await reads a path until the answer is 200. On a slow machine, a request may come to its deadline without any fault.
func (p *process) await(t testing.TB, path, token string) (got answer) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		got, err = p.try("GET", path, token, "")
		return err == nil && got.StatusCode == 200
	}, waitLimit, 5*time.Millisecond, "%s is not answered: %s", path, &p.stderr)
	return got
}

// gauge reads a metric of a program that listens for Prometheus.
func (p *process) gauge(t testing.TB, name string) float64 {
	t.Helper()
	address := regexp.MustCompile(`(?:msg=metrics address=|"msg":"metrics","address":")([^" \n]+)`).FindStringSubmatch(p.stderr.String())
	require.NotNil(t, address)
	response, err := newConnections.Get("http://" + address[1] + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	require.NotNil(t, found, "no %s", name)
	value, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	return value
}
