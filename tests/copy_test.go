//go:build unix

package tests

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/models"
)

// eachCopy runs a test for each pair of engines. The functions that the test gets create an empty source and an empty target.
func eachCopy(t *testing.T, test func(t *testing.T, newSource, newTarget func(testing.TB) string)) {
	t.Helper()
	buildProgram(t)
	t.Parallel()
	engines := map[string]func(testing.TB) string{"SQLite": newSQLite, "PostgreSQL": newPostgres}
	for from, newSource := range engines {
		for to, newTarget := range engines {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				test(t, newSource, newTarget)
			})
		}
	}
}

// copyTasks runs the copy command without settings.
func copyTasks(t testing.TB, from, to string) outcome {
	t.Helper()
	h := newHome(t)
	got := h.run(t, nil, "copy", "--from", from, "--to", to)
	require.Empty(t, h.files(t), "a copy leaves something behind")
	return got
}

// copied requires that a copy succeeds and reports these numbers of tasks and users.
func copied(t testing.TB, from, to string, tasks, users int) {
	t.Helper()
	got := copyTasks(t, from, to)
	require.Zero(t, got.code, got.stderr)
	require.Regexp(t, fmt.Sprintf(`^copied %d tasks(, 0 \w+)* of %d users, verified\n$`, tasks, users), got.stdout)
}

// notCopied requires that the program failed with one line that has all of the words, and without the password.
func notCopied(t testing.TB, got outcome, why ...string) {
	t.Helper()
	require.Equal(t, 1, got.code, got.stderr)
	require.Empty(t, got.stdout)
	require.NotContains(t, got.stderr, "hunter2")
	said := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
	for _, line := range said[:len(said)-1] {
		require.Regexp(t, `^(copying|verifying): \d+ of \d+ tasks$`, line)
	}
	require.Regexp(t, "^copy: ", said[len(said)-1])
	for _, word := range why {
		require.Contains(t, said[len(said)-1], word)
	}
}

// leftEmpty requires that a target has no table, and that there is no file and nothing beside it.
func leftEmpty(t testing.TB, target string) {
	t.Helper()
	if file, sqlite := strings.CutPrefix(target, "sqlite://"); sqlite {
		left, err := os.ReadDir(filepath.Dir(file))
		require.NoError(t, err)
		require.Empty(t, left)
		return
	}
	var tables int
	require.NoError(t, openDirectly(t, target).
		QueryRow("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").Scan(&tables))
	require.Zero(t, tables)
}

// rows returns all rows of a database.
func rows(t testing.TB, db *gorm.DB) (users []models.User, tasks []models.Task) {
	t.Helper()
	all := models.AcrossOwners(db)
	require.NoError(t, all.Find(&users).Error)
	require.NoError(t, all.Order("id").Find(&tasks).Error)
	slices.SortFunc(users, func(a, b models.User) int { return strings.Compare(a.ID, b.ID) })
	for i := range users {
		users[i].CreatedAt = users[i].CreatedAt.UTC()
	}
	for i := range tasks {
		tasks[i].CreatedAt, tasks[i].UpdatedAt = tasks[i].CreatedAt.UTC(), tasks[i].UpdatedAt.UTC()
	}
	return users, tasks
}

// addTasks adds tasks of seven users in turn, without the API.
func addTasks(t testing.TB, s *server, count int, description string) {
	t.Helper()
	var users []models.User
	var tasks []models.Task
	start := time.Date(2026, 1, 8, 10, 30, 0, 0, time.UTC)
	for i := range 7 {
		users = append(users, models.User{ID: fmt.Sprintf("user %d", i), CreatedAt: start.Add(time.Duration(i) * time.Microsecond)})
	}
	for i := range count {
		at := start.Add(time.Duration(i) * 1000003 * time.Microsecond)
		tasks = append(tasks, models.Task{
			Owner:      models.Owner{UserID: users[i%7].ID},
			TaskInput:  models.TaskInput{Title: fmt.Sprintf("task %d", i), Description: &description},
			Completed:  i%3 == 0,
			Timestamps: models.Timestamps{CreatedAt: at, UpdatedAt: at.Add(time.Duration(i) * time.Microsecond)},
		})
	}
	db := models.AcrossOwners(s.db)
	require.NoError(t, db.Create(&users).Error)
	require.NoError(t, db.CreateInBatches(&tasks, 500).Error)
}

func TestACopyKeepsEveryTaskAndUserExactly(t *testing.T) {
	eachCopy(t, func(t *testing.T, newSource, newTarget func(testing.TB) string) {
		from, to := newSource(t), newTarget(t)
		source := newServer(t, from)
		addTasks(t, source, 2345, "")
		users := []string{
			"ann", "Ann", "änn", "a b", "a-b", "a_b", "Z", "_", "日本 ' OR 1=1", "2026-01-08", "\U0001F600", "\uffff", strings.Repeat("é", 255),
		}
		for _, user := range users {
			for _, text := range []string{
				"x", "2026-01-08 10:30:00", "null", `a "quoted" \N \. 'text'`, "line\r\nbreak\ttab\v",
				" \u00a0x\u200d", "e\u0301é", "\U0001F600\ufeff", strings.Repeat("é", 200),
			} {
				body := map[string]any{"title": text, "description": text + text}
				created := decode[task](t, source.as(user).call(t, 201, "POST", "/api/tasks", body))
				source.as(user).call(t, 200, "PATCH", path(created.ID)+"/complete")
			}
			gone := source.as(user).create(t, "gone")
			source.as(user).call(t, 204, "DELETE", path(gone.ID))
		}
		db := models.AcrossOwners(source.db)
		early, late := time.Date(1999, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
		require.NoError(t, db.Create(&models.User{ID: "without a task", CreatedAt: early}).Error)
		require.NoError(t, db.Model(&models.Task{}).Where("id = 1").Update("updated_at", late).Error)
		require.NoError(t, db.Model(&models.Task{}).Where("id = 2").Update("updated_at", time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)).Error)
		if strings.HasPrefix(from, "postgres:") { // in another order than that of the bytes
			for _, column := range []string{"users ALTER id", "tasks ALTER user_id"} {
				require.NoError(t, db.Exec("ALTER TABLE "+column+` TYPE varchar(255) COLLATE "und-x-icu"`).Error)
			}
		}
		wantUsers, wantTasks := rows(t, source.db)

		copied(t, from, to, len(wantTasks), len(wantUsers))
		if file, sqlite := strings.CutPrefix(to, "sqlite://"); sqlite {
			made, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), made.Mode())
			left, err := os.ReadDir(filepath.Dir(file))
			require.NoError(t, err)
			require.Len(t, left, 1)
			var text string
			direct := openDirectly(t, to)
			require.NoError(t, direct.QueryRow("SELECT CAST(updated_at AS TEXT) FROM tasks WHERE id = 2").Scan(&text))
			require.Equal(t, "0001-01-01 00:00:00.000001+00:00", text)
			require.NoError(t, direct.QueryRow("SELECT CAST(created_at AS TEXT) FROM tasks WHERE id = 1").Scan(&text))
			require.Equal(t, "2026-01-08 10:30:00+00:00", text)
			require.NoError(t, direct.Close())
		}
		target := newServer(t, to)
		gotUsers, gotTasks := rows(t, target.db)
		require.Equal(t, wantUsers, gotUsers)
		require.Equal(t, wantTasks, gotTasks)
		for _, user := range append(users, "user 3") {
			want, got := source.as(user).call(t, 200, "GET", "/api/tasks"), target.as(user).call(t, 200, "GET", "/api/tasks")
			require.Equal(t, string(want.body), string(got.body), user)
			target.as(user).create(t, "new")
		}
		require.NoError(t, models.AcrossOwners(target.db).Delete(&models.User{ID: "user 3"}).Error)
		require.Empty(t, target.as("user 3").list(t), "the foreign key is not kept")
	})
}

func TestACopyOfACopyNeverGivesAnIDAgain(t *testing.T) {
	eachCopy(t, func(t *testing.T, newSource, newTarget func(testing.TB) string) {
		first, second, third := newSource(t), newTarget(t), newSource(t)
		ann := newServer(t, first).as("ann")
		last := ann.create(t, "x")
		for range 3 {
			ann.call(t, 204, "DELETE", path(last.ID))
			last = ann.create(t, "x")
		}
		ann.call(t, 204, "DELETE", path(last.ID))
		copied(t, first, second, 0, 1)
		copied(t, second, third, 0, 1)
		for _, database := range []string{first, second, third} {
			require.Equal(t, last.ID+1, newServer(t, database).as("ann").create(t, "y").ID)
		}
	})
}

func TestAnEmptyDatabaseIsCopied(t *testing.T) {
	eachCopy(t, func(t *testing.T, newSource, newTarget func(testing.TB) string) {
		from, to := newSource(t), newTarget(t)
		newServer(t, from)
		copied(t, from, to, 0, 0)
		newServer(t, to).as("ann").create(t, "x")
	})
}

func TestATargetThatHoldsAnythingIsRefused(t *testing.T) {
	eachCopy(t, func(t *testing.T, newSource, newTarget func(testing.TB) string) {
		from, to := newSource(t), newTarget(t)
		newServer(t, from).as("ann").create(t, "ann's")
		target := newServer(t, to)
		bobs := target.as("bob").create(t, "bob's")
		notCopied(t, copyTasks(t, from, to), "target", "1 tasks", "1 users")
		require.Equal(t, []task{bobs}, target.as("bob").list(t))
		target.as("bob").call(t, 204, "DELETE", path(bobs.ID))
		notCopied(t, copyTasks(t, from, to), "target", "0 tasks", "1 users")
		require.NoError(t, target.db.Delete(&models.User{ID: "bob"}).Error)
		if strings.HasPrefix(to, "sqlite:") {
			notCopied(t, copyTasks(t, from, to), "target", "exists")
			return
		}
		copied(t, from, to, 1, 1)
		require.Greater(t, target.as("ann").create(t, "the next").ID, bobs.ID)
	})
}

func TestATargetThatIsTheSourceIsRefused(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL)
		same := []string{databaseURL, databaseURL + "&application_name=another"}
		if file, sqlite := strings.CutPrefix(databaseURL, "sqlite://"); sqlite {
			link := filepath.Join(t.TempDir(), "link.db")
			require.NoError(t, os.Symlink(file, link))
			same = []string{databaseURL, "sqlite://" + link}
		}
		for _, created := range []bool{false, true} {
			if created {
				s.as("ann").create(t, "x")
			}
			for _, to := range same {
				notCopied(t, copyTasks(t, databaseURL, to), "target")
			}
		}
		require.Len(t, s.as("ann").list(t), 1)
	})
}

func TestWhatIsNoDatabaseOfTasksIsNotCopied(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	h := newHome(t)
	h.write(t, "notes.txt", strings.Repeat("this is no database\n", 100), 0o644)
	openDirectly(t, "sqlite://"+h.path("other.db"), "CREATE TABLE notes (id INTEGER)")
	openDirectly(t, "sqlite://"+h.path("odd.db"), "CREATE TABLE tasks (id INTEGER, text TEXT)")
	port, err := freePort()
	require.NoError(t, err)
	sources := map[string]string{
		"sqlite://missing.db": "no such file", "sqlite://notes.txt": "not a database", "sqlite://.": "is a directory",
		"sqlite://other.db": "no table of tasks", "sqlite://odd.db": "user_id",
		fmt.Sprintf("postgres://u:hunter2@127.0.0.1:%d/db", port): "connection refused",
	}
	if postgresURL != "" {
		empty, err := url.Parse(withoutPooler(t, newPostgres(t)))
		require.NoError(t, err)
		sources[empty.String()] = "no table of tasks"
		empty.User = url.UserPassword("nobody", "hunter2")
		sources[empty.String()] = "nobody"
	}
	before := h.files(t)
	for source, why := range sources {
		t.Run(why, func(t *testing.T) {
			notCopied(t, h.run(t, nil, "copy", "--from", source, "--to", "sqlite://copy.db"), "source", why)
		})
	}
	require.Equal(t, before, h.files(t))
}

func TestATargetThatCannotBeWrittenIsRefused(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, from string) {
		newServer(t, from).as("ann").create(t, "x")
		h := newHome(t)
		h.write(t, "left.db-wal", "what another database left", 0o600)
		for to, why := range map[string]string{
			"sqlite://missing/copy.db":            "there is no directory " + h.path("missing"),
			"sqlite://left.db":                    "left.db-wal",
			"sqlite://" + string(h):               "exists",
			"postgres://u:hunter2@127.0.0.1:1/db": "connection refused",
		} {
			t.Run(why, func(t *testing.T) {
				notCopied(t, h.run(t, nil, "copy", "--from", from, "--to", to), "target", why)
			})
		}
		require.Equal(t, []string{"left.db-wal"}, h.files(t))
	})
}

func TestACopyOnlyReadsItsSourceAndNeedsNoListOfUsers(t *testing.T) {
	eachCopy(t, func(t *testing.T, newSource, newTarget func(testing.TB) string) {
		for name, users := range map[string]string{
			"no list":        "SELECT 1",
			"a short list":   "INSERT INTO users VALUES ('ann', '2026-01-02 03:04:05.678901+00:00'), ('idle', '2026-01-02 03:04:05+00:00')",
			"another's list": "ALTER TABLE users DROP COLUMN created_at",
		} {
			t.Run(name, func(t *testing.T) {
				from, to := newSource(t), newTarget(t)
				create := "CREATE TABLE tasks (id INTEGER NOT NULL PRIMARY KEY, user_id VARCHAR NOT NULL, title VARCHAR(200) NOT NULL," +
					" description VARCHAR, completed BOOLEAN NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL)"
				list := "CREATE TABLE users (id TEXT PRIMARY KEY, created_at DATETIME)"
				if strings.HasPrefix(from, "postgres:") {
					create, list = strings.ReplaceAll(create, "DATETIME", "TIMESTAMP"), strings.ReplaceAll(list, "DATETIME", "TIMESTAMPTZ")
				}
				if name == "no list" {
					list = "SELECT 1"
				}
				direct := openDirectly(t, from, create, list, users,
					"INSERT INTO tasks VALUES (7, 'bob', 'second', NULL, false, '2026-01-08 10:30:00.123456', '2026-01-09 10:30:00.000000')",
					"INSERT INTO tasks VALUES (8, 'bob', 'first', '', true, '2026-01-07 10:30:00', '2026-01-09 10:30:00')",
					"INSERT INTO tasks VALUES (9, 'ann', 'x', NULL, false, '2026-01-06 10:30:00', '2026-01-09 10:30:00')")
				if strings.HasPrefix(from, "postgres:") {
					_, err := direct.Exec("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() ||" +
						" ' SET default_transaction_read_only = on'; END $$")
					require.NoError(t, err)
				}
				before := contents(t, from)
				require.NoError(t, copyModels(t, from, to, []any{&models.Task{}}))
				require.Equal(t, before, contents(t, from))

				target := newServer(t, to)
				made, tasks := rows(t, target.db)
				want := []models.User{
					{ID: "ann", CreatedAt: time.Date(2026, 1, 6, 10, 30, 0, 0, time.UTC)},
					{ID: "bob", CreatedAt: time.Date(2026, 1, 7, 10, 30, 0, 0, time.UTC)},
				}
				if name == "a short list" {
					want[0].CreatedAt = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
					want = append(want, models.User{ID: "idle", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
				}
				require.Equal(t, want, made, name)
				require.Len(t, tasks, 3)
				require.Equal(t, time.Date(2026, 1, 8, 10, 30, 0, 123456000, time.UTC), tasks[0].CreatedAt)
				require.EqualValues(t, 10, target.as("ann").create(t, "the next").ID)
			})
		}
	})
}

// contents returns the digest of the file, or the names and rows of the tables.
func contents(t testing.TB, databaseURL string) (all string) {
	t.Helper()
	if file, sqlite := strings.CutPrefix(databaseURL, "sqlite://"); sqlite {
		bytes, err := os.ReadFile(file)
		require.NoError(t, err)
		return fmt.Sprintf("%x", sha256.Sum256(bytes))
	}
	require.NoError(t, openDirectly(t, databaseURL).QueryRow(
		"SELECT database_to_xml(true, true, '')::text ||"+
			" (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace)").Scan(&all))
	return all
}

// pause starts a copy to a new database and stops the process in the middle of a phase. It tries again if the copy ends first.
func pause(t *testing.T, from string, newTarget func(testing.TB) string, phase string) (p *process, to string) {
	t.Helper()
	h := newHome(t)
	for range 20 {
		to = newTarget(t)
		p = h.begin(t, nil, "copy", "--from", from, "--to", to)
		for !strings.Contains(p.stderr.String(), phase) && !p.hasEnded() {
			time.Sleep(time.Millisecond)
		}
		_ = p.Process.Signal(syscall.SIGSTOP)
		time.Sleep(20 * time.Millisecond)
		if !p.hasEnded() {
			return p, to
		}
	}
	require.Fail(t, "every copy ended too soon", "%s", &p.stderr)
	return nil, ""
}

var phases = []string{"copying", "verifying"}

func TestTheServerGoesOnWhileACopySeesOneMoment(t *testing.T) {
	eachCopy(t, func(t *testing.T, newSource, newTarget func(testing.TB) string) {
		from := newSource(t)
		source := newServer(t, from, "REQUEST_TIMEOUT", "5s")
		addTasks(t, source, 8000, "")
		for _, phase := range phases {
			wantUsers, wantTasks := rows(t, source.db)
			p, to := pause(t, from, newTarget, phase)
			ann := source.as("ann")
			for range 50 {
				kept, gone := ann.create(t, "new"), ann.create(t, "gone")
				ann.call(t, 200, "PATCH", path(kept.ID)+"/complete")
				ann.call(t, 204, "DELETE", path(gone.ID))
			}
			require.NoError(t, models.AcrossOwners(source.db).Where("user_id = 'user 6' OR id = 1").Delete(&models.Task{}).Error)
			require.NoError(t, p.Process.Signal(syscall.SIGCONT))
			require.Zero(t, p.awaitEnd(t), &p.stderr)
			gotUsers, gotTasks := rows(t, newServer(t, to).db)
			require.Equal(t, wantUsers, gotUsers)
			require.Equal(t, wantTasks, gotTasks)
		}
	})
}

func TestAKilledCopyLeavesTheTargetAsItWas(t *testing.T) {
	eachCopy(t, func(t *testing.T, newSource, newTarget func(testing.TB) string) {
		from := newSource(t)
		addTasks(t, newServer(t, from), 8000, "")
		for _, phase := range phases {
			p, to := pause(t, from, newTarget, phase)
			require.NoError(t, p.Process.Kill())
			require.Equal(t, -1, p.awaitEnd(t))
			if file, sqlite := strings.CutPrefix(to, "sqlite://"); sqlite {
				require.NoFileExists(t, file)
			} else {
				leftEmpty(t, to)
			}
			copied(t, from, to, 8000, 7)
		}
	})
}

func TestASignalEndsACopyAtOnceAndLeavesTheTargetAsItWas(t *testing.T) {
	eachCopy(t, func(t *testing.T, newSource, newTarget func(testing.TB) string) {
		from := newSource(t)
		addTasks(t, newServer(t, from), 8000, "")
		for i, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
			p, to := pause(t, from, newTarget, phases[i])
			require.NoError(t, p.Process.Signal(signal))
			sent := time.Now()
			require.NoError(t, p.Process.Signal(syscall.SIGCONT))
			code := p.awaitEnd(t)
			require.Less(t, time.Since(sent), 3*time.Second)
			notCopied(t, outcome{p.stdout.String(), p.stderr.String(), code}, "interrupted")
			leftEmpty(t, to)
		}
	})
}

func TestNobodyAddsToATargetDuringACopy(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, from string) {
		addTasks(t, newServer(t, from), 8000, "")
		var target *server
		p, _ := pause(t, from, func(t testing.TB) string {
			to := newPostgres(t)
			target = newServer(t, withoutPooler(t, to), "REQUEST_TIMEOUT", "3s") // nothing is cancelled through a pooler
			return to
		}, "copying")
		unavailable(t, target.send(t, request{method: "POST", path: "/api/tasks", user: "bob", body: `{"title": "too early"}`}))
		require.NoError(t, p.Process.Signal(syscall.SIGCONT))
		require.Zero(t, p.awaitEnd(t), &p.stderr)
		require.Greater(t, target.as("bob").create(t, "in time").ID, int64(8000))
		require.Len(t, target.as("bob").list(t), 1)
	})
}

func TestAFileThatComesMeanwhileIsNotReplaced(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, from string) {
		addTasks(t, newServer(t, from), 8000, "")
		p, to := pause(t, from, newSQLite, "verifying")
		anns := newServer(t, to).as("ann").create(t, "ann's")
		require.NoError(t, p.Process.Signal(syscall.SIGCONT))
		code := p.awaitEnd(t)
		notCopied(t, outcome{p.stdout.String(), p.stderr.String(), code}, "target", "exists")
		require.Equal(t, []task{anns}, newServer(t, to).as("ann").list(t))
	})
}

func TestACopyThatDiffersIsTakenBack(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, from string) {
		addTasks(t, newServer(t, from), 300, "text")
		to := newPostgres(t)
		target := newServer(t, to)
		for name, change := range map[string]string{
			"a character": "NEW.title := NEW.title || ' '",
			"a time":      "NEW.updated_at := NEW.updated_at + interval '1 microsecond'",
			"a null":      "NEW.description := NULL",
			"an owner":    "NEW.user_id := 'user 5'",
			"a row less":  "IF NEW.id = 17 THEN RETURN NULL; END IF",
			"a user less": "IF NEW.user_id = 'user 6' THEN RETURN NULL; END IF",
			"a row more": "IF NEW.id = 17 THEN INSERT INTO users VALUES ('zoe', now()); " +
				"INSERT INTO tasks SELECT 100000, 'zoe', NEW.title, NULL, false, now(), now(); END IF",
		} {
			t.Run(name, func(t *testing.T) {
				direct := openDirectly(t, to,
					"CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+change+"; RETURN NEW; END $$",
					"CREATE OR REPLACE TRIGGER change BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION change()")
				notCopied(t, copyTasks(t, from, to), "target", "did not keep", "user")
				users, tasks := rows(t, target.db)
				require.Empty(t, users, name)
				require.Empty(t, tasks, name)
				var next int
				require.NoError(t, direct.QueryRow("SELECT nextval('tasks_id_seq')").Scan(&next))
				require.Less(t, next, 20, "the ids have moved on")
			})
		}
	})
}

func TestACopyHoldsLittleInMemory(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, from string) {
		newTarget := newSQLite
		if strings.HasPrefix(from, "sqlite:") {
			newTarget = newPostgres
		}
		addTasks(t, newServer(t, from), 12000, strings.Repeat("\U0001F600", 1000)) // 48 MB
		require.Less(t, copyPeak(t, from, newTarget(t)), 70.0)
	})
}

// copyPeak copies and returns the peak of the process's memory, in megabytes.
func copyPeak(t testing.TB, from, to string) (peak float64) {
	t.Helper()
	p := newHome(t).begin(t, nil, "copy", "--from", from, "--to", to)
	for !p.hasEnded() {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
		if err != nil && !p.hasEnded() {
			t.Skip("memory is read from /proc, which is not here")
		}
		if strings.Contains(string(status), "VmHWM") { // not once it has ended
			peak = megabytes(t, status, "VmHWM")
		}
		time.Sleep(5 * time.Millisecond)
	}
	require.Zero(t, p.awaitEnd(t), &p.stderr)
	return peak
}

func TestACopyShowsABarOnATerminal(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	if _, err := exec.LookPath("script"); err != nil || runtime.GOOS != "linux" {
		t.Skip("no script to give the program a terminal")
	}
	from, to := newSQLite(t), newSQLite(t)
	addTasks(t, newServer(t, from), 3000, "")
	cmd := exec.Command("script", "-qec", fmt.Sprintf("%s copy --from %s --to %s", filepath.Join(built.dir, "taskapi"), from, to), "/dev/null")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, phase := range phases {
		require.Regexp(t, `\r`+phase+` +100% .*\(3000/3000\).*\r\n`, string(out))
	}
	require.Regexp(t, `\r\ncopied 3000 tasks(, 0 \w+)* of 7 users, verified\r\n`, string(out))
}
