package tests

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// startNginx starts a real nginx with a configuration of its http block, in which PORT stands for a free port, and returns
// its address. It ends with the test or when this process dies.
func startNginx(t *testing.T, http string) (address string) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		require.Empty(t, os.Getenv("CI"), "nginx is not installed")
		t.Skip("nginx is not installed")
	}
	port, err := freePort()
	require.NoError(t, err)
	address = fmt.Sprintf("127.0.0.1:%d", port)
	dir := newHome(t)
	text := "daemon off; master_process off; pid nginx.pid; error_log stderr crit; events {}\nhttp { access_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += kind + "_temp_path " + dir.path(kind) + ";\n"
	}
	dir.write(t, "nginx.conf", text+strings.ReplaceAll(http, "PORT", address)+"}", 0o600)
	// The shell ends it once the pipe from this process is closed.
	var log logBuffer
	nginx := exec.Command("sh", "-c", `"$@" 3<&- & p=$!; read _; kill -TERM $p; wait $p`, "sh", path, "-p", string(dir), "-c", "nginx.conf")
	nginx.Stdout, nginx.Stderr = &log, &log
	pipe, err := nginx.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, nginx.Start())
	t.Cleanup(func() {
		_ = pipe.Close()
		_ = nginx.Wait()
		if t.Failed() {
			t.Logf("nginx: %s", &log)
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, waitLimit, 10*time.Millisecond, "nginx does not listen: %s", &log)
	return address
}

func testStrippedPrefix(t *testing.T, browser context.Context) {
	s := newServer(t, newSQLite(t))
	s.listen(t)
	proxy := startNginx(t, `server { listen PORT; location /todo/v1/ { proxy_pass http://`+s.address+`/; } }`)
	w := &watch{host: proxy}
	p := openPage(t, browser, w.listen)
	defer w.requireNoFault(t)

	for from, to := range map[string]string{
		"/todo/v1/": "/todo/v1/docs/", "/todo/v1/docs": "/todo/v1/docs/", "/todo/v1/swagger/a/b": "/todo/v1/docs/",
		"/todo/v1/docs/doc.json": "/todo/v1/openapi.json",
	} {
		p.visit("http://" + proxy + from)
		got, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("location.pathname"))
		require.NoError(t, err)
		require.Equal(t, to, got, from)
	}
	p.visit("about:blank")
	p.visit("http://" + proxy + "/todo/v1/")
	p.press(`//button[contains(@class, "authorize")]`)
	p.write(`//input[@id="auth-bearer-value"]`, tokenOf(t, "ann"))
	p.press(`//*[contains(@class, "auth-container")]//button[@type="submit"]`)
	p.press(`//*[contains(@class, "auth-container")]//button[contains(@class, "btn-done")]`)
	p.unfold("create_task")
	p.write(operation("create_task")+`//textarea`, `{"title": "Buy groceries"}`)
	p.execute("create_task", "201", "Buy groceries")
	p.see(operation("create_task") + `//*[contains(@class, "request-url")]//*[contains(., "` + proxy + `/todo/v1/api/tasks")]`)
	require.Len(t, s.as("ann").list(t), 1)
}

func TestNoRequestFailsInARollingRestartBehindTheNginxOfTheDocs(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	docs, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	lines := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(docs)
	require.NotNil(t, lines)
	settings := inProduction("DATABASE_URL=" + newPostgres(t))
	conf, replicas := strings.Replace(string(lines[1]), "listen 80", "listen PORT", 1), make([]*process, 2)
	for i := range replicas {
		replicas[i] = newHome(t).start(t, settings...)
		conf = strings.Replace(conf, fmt.Sprintf("10.0.0.%d:8000", i+1), replicas[i].address, 1)
	}
	proxy := &process{address: startNginx(t, conf)}
	proxy.url = "http://" + proxy.address
	all := startTraffic(t, []*process{proxy}, "ann", "bob", "cid", "dee", "eve", "fay")
	for range 2 {
		for i, p := range replicas {
			all.await(t, 200, 100)
			code, _ := p.stop(t, os.Interrupt)
			require.Zero(t, code, &p.stderr)
			all.await(t, 200, 100) // on the other one
			replicas[i] = newHome(t).start(t, append(settings, portOf(t, p.address))...)
		}
	}
	all.await(t, 200, 100)
	all.stop()
	all.requireFlawless(t)
	require.Empty(t, all.lost(t, replicas[0], "ann", "bob", "cid", "dee", "eve", "fay"))
}
