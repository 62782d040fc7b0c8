package tests

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// ownRows is how many tasks each user has in a table that grows.
const ownRows = 1000

// BenchmarkGrowth measures get, create and a page of 50 in tables of BENCH_ROWS rows, numbers with commas between them: a server
// on each table, in turns. Beside the figures of a larger table are the medians of their ratios to those of the first one. Without
// BENCH_ROWS it is skipped: ten million rows need 6 GB and some minutes for each engine.
func BenchmarkGrowth(b *testing.B) {
	sizes := os.Getenv("BENCH_ROWS")
	if sizes == "" {
		b.Skip("BENCH_ROWS is not set")
	}
	binary := buildAt(b, "..", ".")
	for _, engine := range []struct {
		name   string
		newURL func(testing.TB) string
	}{{"PostgreSQL", newPostgres}, {"SQLite", newSQLite}} {
		var servers []*contender
		fmt.Printf("\n| %s, µs |", engine.name)
		for size := range strings.SplitSeq(sizes, ",") {
			rows, err := strconv.Atoi(size)
			require.NoError(b, err)
			databaseURL := engine.newURL(b)
			fill(b, databaseURL, rows)
			c := &contender{name: size, databaseURL: databaseURL, load: loadOf(b, rows)}
			c.begin(b, binary)
			c.page(b)
			servers = append(servers, c)
			fmt.Printf(" %s rows |", number(float64(rows)))
		}
		fmt.Printf("\n|---|%s\n", strings.Repeat("---|", len(servers)))
		for _, request := range loadRequests {
			if !slices.Contains([]string{"get", "create", "page of 50 with cursor"}, request.name) {
				continue
			}
			fmt.Printf("| %s |", request.name)
			rounds := measureInTurns(b, servers, request, starts*roundsOfAStart)
			for _, c := range servers {
				var cpu, ratios []float64
				for i, first := range rounds[servers[0].name] {
					cpu = append(cpu, rounds[c.name][i].CPU)
					ratios = append(ratios, rounds[c.name][i].CPU/first.CPU)
				}
				fmt.Printf(" %s (%.2f) |", number(median(cpu)), median(ratios))
			}
			fmt.Println()
		}
		for _, c := range servers {
			c.end(b)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// fill adds tasks and their users by SQL, the tasks of each user throughout the table.
func fill(b *testing.B, databaseURL string, rows int) {
	s := newServer(b, databaseURL)
	db := models.AcrossOwners(s.db)
	numbers := func(count int) string {
		return fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)", count)
	}
	at, users := "strftime('%Y-%m-%d %H:%M:%S', 1767868200 + i, 'unixepoch') || '.5+00:00'", rows/ownRows
	if db.Name() == "postgres" {
		at = "to_timestamp(1767868200.5 + i)"
	}
	require.NoError(b, db.Exec("INSERT INTO users (id, created_at) "+numbers(users)+
		" SELECT 'user ' || i, '2026-01-08 10:30:00.5+00:00' FROM n").Error)
	require.NoError(b, db.Exec("INSERT INTO tasks (user_id, title, description, completed, created_at, updated_at) "+numbers(rows)+
		fmt.Sprintf(" SELECT 'user ' || (1 + i %% %d), 'Task number ' || i, 'milk, eggs, bread',", users)+
		fmt.Sprintf(" i %% 2 = 0, %s, %s FROM n", at, at)).Error)
	if db.Name() == "postgres" {
		require.NoError(b, db.Exec("VACUUM ANALYZE tasks").Error)
	}
}

// loadOf returns clients that are users of a table that was filled, with tasks all over it.
func loadOf(b *testing.B, rows int) *load {
	users := rows / ownRows
	user := func(number int) *loadUser {
		u := &loadUser{token: tokenOf(b, fmt.Sprint("user ", 1+number%users)), tags: map[string]string{}}
		for id := number%users + users; id < rows; id += 50 * users {
			u.paths = append(u.paths, path(int64(id)))
		}
		return u
	}
	l := &load{pager: user(users / 2), creator: user(users / 3)}
	for i := range loadClients {
		l.clients = append(l.clients, user(i*users/loadClients))
	}
	return l
}
