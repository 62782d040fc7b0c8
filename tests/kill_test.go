package tests

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNoAcknowledgedTaskIsLostHoweverOftenTheProgramIsKilled(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		h, setting := newHome(t), append(inDevelopment, "DATABASE_URL="+databaseURL)
		var rounds []*traffic
		for range 10 {
			p := h.start(t, setting...)
			tr := startTraffic(t, []*process{p}, "ann", "ann", "bob", "bob")
			rounds = append(rounds, tr)
			tr.await(t, 201, 30)
			require.NoError(t, p.Process.Kill())
			tr.stop()
			p.awaitEnd(t)
			require.Empty(t, tr.wrong)
		}
		p := h.start(t, setting...)
		for _, tr := range rounds {
			require.Empty(t, tr.lost(t, p, "ann", "bob"))
		}
		p.call(t, 201, "POST", "/api/tasks", tokenOf(t, "ann"), `{"title": "after the restarts"}`)
	})
}

func TestASignalUnderLoadCutsOffNoAnswerAndDoesNothingThatIsNotAnswered(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		h, setting := newHome(t), inProduction("DATABASE_URL="+databaseURL)
		users := []string{"ann", "ann", "ann", "ann", "bob", "bob", "bob", "bob"}
		acknowledged := 0
		for range 3 {
			p := h.start(t, setting...)
			tr := startTraffic(t, []*process{p}, users...)
			tr.await(t, 201, 50)
			asked := time.Now()
			code, _ := p.stop(t, syscall.SIGTERM)
			tr.stop()
			require.Zero(t, code, &p.stderr)
			require.Empty(t, tr.wrong)
			for _, sent := range tr.unanswered { // on connections that the listener closed before they were accepted
				require.True(t, sent.After(asked), "a request of before the signal was not answered")
			}
			acknowledged += len(tr.created)
		}
		require.Len(t, h.start(t, setting...).tasks(t, "ann", "bob"), acknowledged, "a task was created and its client not told")
	})
}

func TestEveryRequestThatWasSentBeforeASignalIsAnsweredWhole(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		eachSignal(t, databaseURL, func(t *testing.T, p *process, signal os.Signal) {
			connections := make([]trafficConnection, 60)
			get := func(i int) string { // of three users, since one may have 32 lists made at a time
				return fmt.Sprintf("GET /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", tokenOf(t, fmt.Sprint("user", i%3)))
			}
			for i := range connections {
				require.True(t, connections[i].connect(strings.TrimPrefix(p.url, "http://")))
				defer connections[i].hangUp()
				if i%2 == 0 { // the others have never been used
					response, _, err := connections[i].roundTrip(get(i))
					require.NoError(t, err)
					require.Equal(t, 200, response.StatusCode)
				}
			}
			for i := range connections {
				_, err := io.WriteString(connections[i], get(i))
				require.NoError(t, err)
			}
			require.NoError(t, p.Process.Signal(signal))
			for i := range connections {
				response, _, err := connections[i].roundTrip("")
				require.NoError(t, err)
				require.NotNil(t, response, "request %d was not answered", i)
				require.Contains(t, []int{200, 503}, response.StatusCode)
			}
			require.Zero(t, p.awaitEnd(t), &p.stderr)
		})
	})
}
