package tests

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newRole makes a role that may connect, and returns its name and its URL of the database.
func newRole(t *testing.T, databaseURL string) (role, roleURL string) {
	t.Helper()
	u, err := url.Parse(withoutPooler(t, databaseURL))
	require.NoError(t, err)
	role = "role_" + strings.ToLower(rand.Text())
	elsewhere := openDirectly(t, databaseURL, "CREATE ROLE "+role+" LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	t.Cleanup(func() {
		_, err := elsewhere.Exec("DROP OWNED BY " + role)
		assert.NoError(t, err)
		_, err = elsewhere.Exec("DROP ROLE " + role)
		assert.NoError(t, err)
	})
	u.User = url.User(role)
	return role, u.String()
}

func TestARoleWithoutRightsIsToldWhichGrantIsMissing(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	const everything = "SELECT, INSERT, UPDATE, DELETE"
	for symptom, c := range map[string]struct {
		granted []string
		missing []string
	}{
		"none at all": {nil, []string{
			"GRANT " + everything + " ON users TO %s", "GRANT " + everything + " ON tasks TO %s", "GRANT USAGE ON SEQUENCE tasks_id_seq TO %s",
			"GRANT " + everything + " ON idempotency_keys TO %s",
		}},
		"not of the users": {
			[]string{everything + " ON tasks, idempotency_keys", "USAGE ON SEQUENCE tasks_id_seq"},
			[]string{"GRANT " + everything + " ON users TO %s"},
		},
		"not of the sequence": {
			[]string{everything + " ON tasks, users, idempotency_keys"},
			[]string{"GRANT USAGE ON SEQUENCE tasks_id_seq TO %s"},
		},
		"not to write": {
			[]string{"SELECT ON tasks, users, idempotency_keys", "ALL ON SEQUENCE tasks_id_seq"},
			[]string{
				"GRANT INSERT, UPDATE, DELETE ON users TO %s", "GRANT INSERT, UPDATE, DELETE ON tasks TO %s",
				"GRANT INSERT, UPDATE, DELETE ON idempotency_keys TO %s",
			},
		},
		"not to delete": {
			[]string{"SELECT, INSERT, UPDATE ON tasks", everything + " ON users, idempotency_keys", "ALL ON SEQUENCE tasks_id_seq"},
			[]string{"GRANT DELETE ON tasks TO %s"},
		},
		"all": {[]string{everything + " ON tasks, users, idempotency_keys", "USAGE ON SEQUENCE tasks_id_seq"}, nil},
	} {
		t.Run(symptom, func(t *testing.T) {
			t.Parallel()
			databaseURL := newPostgres(t)
			newServer(t, databaseURL)
			role, roleURL := newRole(t, databaseURL)
			for _, granted := range c.granted {
				openDirectly(t, databaseURL, "GRANT "+granted+" TO "+role)
			}
			var grants []string
			for _, grant := range c.missing {
				grants = append(grants, fmt.Sprintf(grant, role))
			}
			settings := inProduction("PORT=0", "DATABASE_URL="+roleURL)
			for _, migrate := range []string{"AUTO_MIGRATE=false", "AUTO_MIGRATE=true"} {
				if c.missing != nil {
					got := newHome(t).run(t, append(settings, migrate))
					refused(t, got, 1)
					require.Contains(t, got.stderr, "the role lacks rights: "+strings.Join(grants, "; ")+"\n")
				}
			}
			openDirectly(t, databaseURL, grants...)
			p := newHome(t).start(t, settings...)
			p.call(t, 201, "POST", "/api/tasks", tokenOf(t, "ann"), `{"title":"x"}`)
			_, _ = p.stop(t, syscall.SIGTERM)
		})
	}
}

func TestTheRightsThatTheDocumentationGrantsAreEnough(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	page, err := os.ReadFile("../docs/postgres.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Roles\n")
	require.True(t, found)
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(section, 2)
	databaseURL := newPostgres(t)
	u, err := url.Parse(withoutPooler(t, databaseURL))
	require.NoError(t, err)
	migrator, migratorURL := newRole(t, databaseURL)
	role, roleURL := newRole(t, databaseURL)
	grant := func(block []string) {
		openDirectly(t, databaseURL, strings.NewReplacer("DATABASE tasks", "DATABASE "+u.Path[1:],
			"TO migrator;", "TO "+migrator+";", "TO taskapi;", "TO "+role+";").Replace(block[1]))
	}
	settings := inProduction("PORT=0", "DATABASE_URL="+roleURL, "MIGRATE_DATABASE_URL="+migratorURL)
	grant(blocks[0])
	require.Zero(t, newHome(t).run(t, settings, "migrate").code)
	grant(blocks[1])
	p := newHome(t).start(t, settings...)
	p.call(t, 201, "POST", "/api/tasks", tokenOf(t, "ann"), `{"title":"x"}`)
	_, _ = p.stop(t, syscall.SIGTERM)
}

func TestADatabaseThatIsNotUTF8IsRefusedAndStaysAsItWas(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(newPostgres(t))
			require.NoError(t, err)
			u.Path += "_" + strings.ToLower(encoding)
			administer(t, "CREATE DATABASE "+u.Path[1:]+" ENCODING '"+encoding+"' TEMPLATE template0")
			t.Cleanup(func() { administer(t, "DROP DATABASE "+u.Path[1:]+" WITH (FORCE)") })
			h := newHome(t)
			newServer(t, "sqlite://"+h.path("from.db")).as("ann").create(t, "é")
			for _, args := range [][]string{
				nil, {"migrate"}, {"copy", "--from", u.String(), "--to", "sqlite://to.db"}, {"copy", "--from", "sqlite://from.db", "--to", u.String()},
			} {
				got := h.run(t, inProduction("PORT=0", "DATABASE_URL="+u.String()), args...)
				refused(t, got, 1)
				require.Contains(t, got.stderr, "encoding is "+encoding+" and must be UTF8")
			}
			var tables int
			require.NoError(t, openDirectly(t, u.String()).
				QueryRow("SELECT count(*) FROM pg_class WHERE relname IN ('tasks', 'users')").Scan(&tables))
			require.Zero(t, tables)
			require.Equal(t, []string{"from.db"}, h.databases(t))
		})
	}
}

func TestTheDefaultsOfARoleChangeNoText(t *testing.T) {
	t.Parallel()
	for _, pooled := range []string{"", "&pgbouncer=true"} {
		databaseURL := newPostgres(t)
		database, err := url.Parse(databaseURL)
		require.NoError(t, err)
		for _, setting := range []string{
			"client_encoding = 'LATIN1'", "DateStyle = 'SQL, DMY'",
			"IntervalStyle = 'sql_standard'", "bytea_output = 'escape'", "extra_float_digits = -15",
		} {
			openDirectly(t, databaseURL, "ALTER DATABASE "+database.Path[1:]+" SET "+setting)
		}
		s := newServer(t, withoutPooler(t, databaseURL)+pooled)
		title := strings.Repeat("é☂", 100) // taken for LATIN1, it would be longer than may be
		made := s.as("ann").create(t, title)
		require.Equal(t, title, made.Title)
		require.Equal(t, []task{made}, s.as("ann").list(t))
	}
}
