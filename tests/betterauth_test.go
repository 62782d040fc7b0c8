package tests

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var installBetterAuth = sync.OnceValue(func() error { return installPackages("betterauth") })

// betterAuthOptions are the argument of betterauth/server.mjs. The zero value is Better Auth's jwt plugin as it comes.
type betterAuthOptions struct {
	Port        int    `json:"port"`                  // a free one if 0
	Path        string `json:"path,omitempty"`        // of its endpoints, /api/auth if empty
	DatabaseURL string `json:"databaseURL,omitempty"` // PostgreSQL; in memory if empty
	Algorithm   string `json:"algorithm,omitempty"`   // EdDSA if empty; HS256 is under testSecret
	UserID      bool   `json:"userID,omitempty"`      // whether the tokens' claims are user_id, and not the whole user
	Issuer      string `json:"issuer,omitempty"`      // the server's origin if empty
	Audience    string `json:"audience,omitempty"`    // the server's origin if empty

	// SessionCookieCache signs the session's cookie with the tokens' key, and not with testSecret.
	SessionCookieCache bool `json:"sessionCookieCache,omitempty"`
}

// betterAuth is a Better Auth server.
type betterAuth struct {
	baseURL   string // the BETTER_AUTH_URL of both servers
	origin    string
	endpoints string // the URL that their paths go on from
	process   *exec.Cmd
	stdin     io.Writer
	lines     chan string // of its stdout
	stderr    logBuffer
}

// startBetterAuth starts a Better Auth server that ends with the test, and that ends by itself if this process dies.
func startBetterAuth(t testing.TB, options betterAuthOptions) *betterAuth {
	t.Helper()
	requirePackages(t, "Better Auth", installBetterAuth())
	argument, err := json.Marshal(options)
	require.NoError(t, err)
	b := &betterAuth{process: exec.Command("node", "server.mjs", string(argument)), lines: make(chan string, 16)}
	b.process.Dir = "betterauth"
	b.process.Env = []string{"PATH=" + os.Getenv("PATH"), "BETTER_AUTH_SECRET=" + testSecret}
	b.process.Stderr = &b.stderr
	b.stdin, err = b.process.StdinPipe()
	require.NoError(t, err)
	stdout, err := b.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, b.process.Start())
	t.Cleanup(b.stop)
	go func() {
		defer close(b.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			b.lines <- lines.Text()
		}
	}()
	b.origin = b.said(t, "listening")
	b.baseURL = b.origin + options.Path
	b.endpoints = b.origin + cmp.Or(options.Path, "/api/auth")
	return b
}

// stop ends the server at once, if it has not ended.
func (b *betterAuth) stop() {
	_ = b.process.Process.Kill()
	_ = b.process.Wait()
}

// said returns what follows a word on the server's next line, which must begin with it.
func (b *betterAuth) said(t testing.TB, word string) (rest string) {
	t.Helper()
	select {
	case line := <-b.lines:
		rest, found := strings.CutPrefix(line, word+" ")
		require.True(t, found, "Better Auth said %q, not %q: %s", line, word, &b.stderr)
		return rest
	case <-time.After(waitLimit):
		require.Fail(t, "Better Auth says nothing", "%s", &b.stderr)
		return ""
	}
}

// age makes all keys of the server older. They sign for a day and are published for another 30.
func (b *betterAuth) age(t testing.TB, by time.Duration) {
	t.Helper()
	_, err := fmt.Fprintln(b.stdin, int(by.Seconds()))
	require.NoError(t, err)
	b.said(t, "aged")
}

// account is a user who is signed in to Better Auth, as a browser is, by cookies.
type account struct {
	server *betterAuth
	id     string
	bearer string // what the bearer plugin would have clients send
	client *http.Client
}

// signUp makes an account and signs it in.
func (b *betterAuth) signUp(t testing.TB, name string) *account {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	a := &account{server: b, client: &http.Client{Jar: jar, Timeout: waitLimit}}
	signedUp := a.call(t, "POST", "/sign-up/email", map[string]any{"name": name, "email": name + "@example.com", "password": "correct horse"})
	a.id = decode[struct {
		Token string         `json:"token"`
		User  map[string]any `json:"user"`
	}](t, signedUp).User["id"].(string)
	a.bearer = signedUp.Header.Get("set-auth-token")
	return a
}

// call sends a request to Better Auth and demands that it succeeds.
func (a *account) call(t testing.TB, method, path string, body any) answer {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	if body == nil {
		text = nil
	}
	req, err := http.NewRequest(method, a.server.endpoints+path, bytes.NewReader(text))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", a.server.origin) // without it, requests with cookies are refused
	response, err := a.client.Do(req)
	require.NoError(t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode, "%s %s: %s %s", method, path, read, &a.server.stderr)
	return answer{response, read}
}

// token has Better Auth sign one.
func (a *account) token(t testing.TB) string {
	t.Helper()
	return decode[struct {
		Token string `json:"token"`
	}](t, a.call(t, "GET", "/token", nil)).Token
}

// cookie returns a cookie's value.
func (a *account) cookie(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(a.server.origin)
	require.NoError(t, err)
	for _, cookie := range a.client.Jar.Cookies(u) {
		if cookie.Name == "better-auth."+name {
			return cookie.Value
		}
	}
	require.Fail(t, "no such cookie", name)
	return ""
}

// verification returns the token that Better Auth would send by e-mail to have the address confirmed.
func (a *account) verification(t testing.TB, name string) string {
	t.Helper()
	a.call(t, "POST", "/send-verification-email", map[string]any{"email": name + "@example.com"})
	return a.server.said(t, "verification")
}

// delete has Better Auth delete the account.
func (a *account) delete(t testing.TB) {
	t.Helper()
	a.call(t, "POST", "/delete-user", map[string]any{"password": "correct horse"})
}
