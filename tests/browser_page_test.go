package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// browserPatience bounds the browser's start and all that a test does in it.
const browserPatience = 3 * time.Minute

// startBrowser starts a headless Chromium that ends with the test.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, _ = exec.LookPath(name); path != "" {
			break
		}
	}
	if path == "" {
		const missing = "no chromium, chromium-browser or google-chrome is installed"
		require.Empty(t, os.Getenv("CI"), missing)
		t.Skip(missing)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.WindowSize(1280, 1000), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Getuid() == 0 { // Chromium refuses to run as root with its sandbox
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	browser, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	tooLate := time.AfterFunc(browserPatience, cancel)
	require.NoError(t, chromedp.Do(browser), "%s does not start", path)
	tooLate.Stop()
	return browser
}

// page is a tab of the browser with cookies, storage and cache of its own.
type page struct {
	t   *testing.T
	ctx context.Context
}

// openPage opens a page that ends with the test, and passes its events on to listeners.
func openPage(t *testing.T, browser context.Context, listeners ...func(event any)) page {
	t.Helper()
	options := []chromedp.ContextOption{chromedp.WithNewBrowserContext()}
	for _, listener := range listeners {
		options = append(options, chromedp.WithListener(listener))
	}
	limited, cancel := context.WithTimeout(browser, browserPatience)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(limited, options...)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return page{t, ctx}
}

func (p page) do(what string, step chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, step), what)
}

func (p page) visit(address string) {
	p.t.Helper()
	p.do("visit "+address, chromedp.Navigate(address))
}

// see waits until the page shows an element, by its XPath.
func (p page) see(xpath string) {
	p.t.Helper()
	p.do("see "+xpath, chromedp.WaitVisible(xpath))
}

// lack requires that the page has no such element.
func (p page) lack(xpath string) {
	p.t.Helper()
	found, err := chromedp.Run(p.ctx, chromedp.Nodes(xpath, chromedp.AtLeast(0)))
	require.NoError(p.t, err)
	require.Empty(p.t, found, xpath)
}

// press activates a button with the keyboard: unlike a pointer, it does not miss one that moves while the page is built.
func (p page) press(xpath string) {
	p.t.Helper()
	p.see(xpath)
	p.do("press "+xpath, chromedp.SendKeys(xpath, kb.Enter))
}

// write types a text in place of what a field holds.
func (p page) write(xpath, text string) {
	p.t.Helper()
	p.see(xpath)
	p.do("focus "+xpath, chromedp.Focus(xpath))
	p.do("select", chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`))
	p.do("write to "+xpath, chromedp.SendKeys(xpath, text))
}

// watch is a listener that notes what a page should not do.
type watch struct {
	host string // the only one that the page may ask

	mu     sync.Mutex
	asked  int
	faults []string
}

func (w *watch) listen(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		w.asked++
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != w.host && u.Scheme != "data" {
			w.faults = append(w.faults, "a request to "+e.Request.URL)
		}
	case *log.EventEntryAdded:
		w.faults = append(w.faults, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeWarning { // Swagger has one about each "_" in an operation's id
			said := "console." + string(e.Type) + ":"
			for _, arg := range e.Args {
				said += " " + string(arg.Value) + arg.Description
			}
			w.faults = append(w.faults, said)
		}
	case *runtime.EventExceptionThrown:
		w.faults = append(w.faults, fmt.Sprintf("%s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	}
}

func (w *watch) requireNoFault(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Empty(t, w.faults)
	require.NotZero(t, w.asked)
}

// operation is the XPath of an operation's block on the documentation page.
func operation(id string) string { return `//*[@id="operations-tasks-` + id + `"]` }

func (p page) unfold(id string) {
	p.t.Helper()
	p.press(operation(id) + `//button[contains(@class, "opblock-summary-control")]`)
	p.see(operation(id) + `//table[contains(@class, "responses-table")]`) // until then Execute does nothing
}

// execute runs an unfolded operation of the documentation page, and waits for the status, body and duration of its answer.
func (p page) execute(id, status, body string) {
	p.t.Helper()
	answer := operation(id) + `//*[contains(@class, "live-responses-table")]`
	p.press(operation(id) + `//button[contains(@class, "execute")]`)
	p.see(answer + `//td[contains(@class, "response-col_status")][contains(., "` + status + `")]`)
	p.see(answer + `//*[contains(@class, "highlight-code")][contains(., '` + body + `')]`)
	p.see(operation(id) + `//h5[text()="Request duration"]/following-sibling::pre[contains(., " ms")]`)
}

// shoot saves a picture of what the window shows, for people to look at, if they asked for it.
func (p page) shoot(name string) {
	p.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, name), picture, 0o644))
}

// fetched is what a page's script learns of an answer.
type fetched struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"` // by names in lower case
	Body   string            `json:"body"`
	Error  string            `json:"error"`
}

// fetch has the page's script call the API, with further headers.
func (p page) fetch(method, address, token, body string, header ...map[string]string) fetched {
	p.t.Helper()
	args, err := json.Marshal([]any{method, address, token, body, header})
	require.NoError(p.t, err)
	got, err := chromedp.Run(p.ctx, chromedp.Evaluate[fetched](`(async (method, address, token, body, further) => {
		try {
			const headers = Object.assign({"Authorization": "Bearer " + token, "Content-Type": "application/json"}, ...(further ?? []))
			const answer = await fetch(address, {method, headers, credentials: "include", body: body || undefined})
			return {status: answer.status, header: Object.fromEntries(answer.headers), body: await answer.text(), error: ""}
		} catch (e) {
			return {status: 0, body: "", error: e.name}
		}
	})(...`+string(args)+`)`, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err)
	return got
}
