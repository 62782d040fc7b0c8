package tests

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/models"
	"taskapi/routes"
)

// LetterInput can be sorted by a field of each kind, and Letter by one that clients do not set.
type LetterInput struct {
	Text   string    `json:"text" gorm:"size:5000;not null" validate:"required,max=5000" sort:"true" example:"x"`
	Colour string    `json:"colour" gorm:"size:10;not null;default:yellow" validate:"oneof=yellow green blue" sort:"true"`
	Stars  int64     `json:"stars" gorm:"not null" sort:"true"`
	Weight float64   `json:"weight" gorm:"not null" sort:"true"`
	Active bool      `json:"active" gorm:"not null" sort:"true"`
	Made   time.Time `json:"made" gorm:"not null" validate:"required" sort:"true" example:"2026-01-08T10:30:00Z"`
}

// Letter is a resource that only tests declare.
type Letter struct {
	models.Owner
	LetterInput
	Pages int64 `json:"pages" gorm:"not null;default:1" sort:"true"`
	models.Timestamps
}

func newLetter(userID string, in LetterInput) Letter {
	return Letter{Owner: models.Owner{UserID: userID}, LetterInput: in}
}

var letters = declared{models: []any{&Letter{}}, routes: func(db *gorm.DB) []routes.Route {
	return routes.Resource(db, "/api/letters", newLetter)
}}

func TestPagesHoldInTheOrderOfAFieldOfAnyKind(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServerWith(t, databaseURL, letters)
		rows := make([]Letter, 60)
		for i := range rows {
			rows[i] = newLetter("ann", LetterInput{
				Text: string(rune('a' + rand.IntN(3))), Colour: []string{"blue", "green", "yellow"}[rand.IntN(3)], Active: rand.IntN(2) == 0,
				Stars:  []int64{-1 << 63, -7, 0, 9007199254740993, 9007199254740992, 1<<63 - 1}[rand.IntN(6)],
				Weight: []float64{-1.7976931348623157e308, -0.1, 0, 5e-324, 0.1, 0.30000000000000004, 1e21}[rand.IntN(7)],
				Made: time.Date([]int{1, 2026, 9999}[rand.IntN(3)], 1, 8, 10, 30, 0,
					[]int{0, 1000, 100_000_000, 999_999_000}[rand.IntN(4)], time.UTC),
			})
			rows[i].Pages = 1 + rand.Int64N(3)
		}
		require.NoError(t, models.CreateOwned(t.Context(), s.db, "ann", &rows))
		compare := map[string]func(a, b Letter) int{
			"text":   func(a, b Letter) int { return cmp.Compare(a.Text, b.Text) },
			"colour": func(a, b Letter) int { return cmp.Compare(a.Colour, b.Colour) },
			"stars":  func(a, b Letter) int { return cmp.Compare(a.Stars, b.Stars) },
			"weight": func(a, b Letter) int { return cmp.Compare(a.Weight, b.Weight) },
			"active": func(a, b Letter) int { return cmp.Compare(fmt.Sprint(a.Active), fmt.Sprint(b.Active)) },
			"made":   func(a, b Letter) int { return a.Made.Compare(b.Made) },
			"pages":  func(a, b Letter) int { return cmp.Compare(a.Pages, b.Pages) },
		}
		require.Len(t, s.as("ann").orders(t, "/api/letters"), 4+2*len(compare))
		for name, compare := range compare {
			slices.SortFunc(rows, func(a, b Letter) int { return cmp.Or(compare(a, b), cmp.Compare(a.ID, b.ID)) })
			s.requireOrder(t, "/api/letters", name, rows)
		}
	})
}

// requireOrder requires that ann's rows are listed in an order and in its reverse, whole and in pages.
func (s *server) requireOrder(t testing.TB, path, order string, rows []Letter) {
	t.Helper()
	for range 2 {
		want := make([]int64, len(rows))
		for i, row := range rows {
			want[i] = row.ID
		}
		for _, limit := range []string{"", "&limit=1", "&limit=7"} {
			pages := s.as("ann").walk(t, path, "?sort="+order+limit)
			require.Equal(t, want, ids(t, slices.Concat(pages...)), order+limit)
		}
		order = "-" + order
		slices.Reverse(rows)
	}
}

// ids returns the ids of listed rows.
func ids(t testing.TB, rows []string) []int64 {
	t.Helper()
	found := make([]int64, len(rows))
	for i, row := range rows {
		_, err := fmt.Sscan(string(toMembers(t, []byte(row))["id"]), &found[i])
		require.NoError(t, err)
	}
	return found
}

func TestTextIsOrderedByCodePoint(t *testing.T) {
	eachCollation(t, func(t *testing.T, databaseURL string) {
		s := newServerWith(t, databaseURL, letters)
		rows := []Letter{}
		for _, text := range []string{
			"a", "A", "b", "B", "z", "Z", "é", "e\u0301", "É", "ß", "ss", "i", "İ", "ı", "-a", "_a", " a", "a ", "a-b", "a b", "ab",
			"aB", "1", "10", "9", "\x01", "\x7f", "\u0080", "\uD7FF", "\uE000", "\uFFFD", "\uFFFF", "\U00010000", "😀", "\U0010FFFF",
			"a\u0301", "a\u200b", "\u200b", "日", "本", "ﬀ", "~",
		} {
			rows = append(rows, newLetter("ann", LetterInput{Text: text, Colour: "blue"}), newLetter("ann", LetterInput{Text: text, Colour: "blue"}))
		}
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		require.NoError(t, models.CreateOwned(t.Context(), s.db, "ann", &rows))
		slices.SortFunc(rows, func(a, b Letter) int {
			return cmp.Or(slices.Compare([]rune(a.Text), []rune(b.Text)), cmp.Compare(a.ID, b.ID))
		})
		s.requireOrder(t, "/api/letters", "text", rows)
	})
}

func TestLongTextsAreOrderedByTheir500FirstCharacters(t *testing.T) {
	eachCollation(t, func(t *testing.T, databaseURL string) {
		s := newServerWith(t, databaseURL, letters)
		rows := []Letter{}
		for _, character := range []string{"x", "\x01", "😀", "\u2028", `"`, "é"} {
			for _, end := range []string{"", "b", "a", strings.Repeat("z", 4500)} {
				for _, begin := range []string{strings.Repeat(character, 500), strings.Repeat(character, 499)} {
					rows = append(rows, newLetter("ann", LetterInput{Text: begin + end, Colour: "blue"}))
				}
			}
		}
		require.NoError(t, models.CreateOwned(t.Context(), s.db, "ann", &rows))
		first := func(l Letter) []rune { return []rune(l.Text)[:min(500, len([]rune(l.Text)))] }
		slices.SortFunc(rows, func(a, b Letter) int { return cmp.Or(slices.Compare(first(a), first(b)), cmp.Compare(a.ID, b.ID)) })
		s.requireOrder(t, "/api/letters", "text", rows)
		longest := 0
		for query := "?sort=text&limit=1"; query != ""; {
			longest = max(longest, len("/api/letters"+query))
			query = nextQuery(t, s.as("ann").ask(t, 200, "/api/letters", query))
		}
		require.Greater(t, longest, 4000)
		require.Less(t, longest+len("&q="+url.QueryEscape(strings.Repeat("😀", 200))), 8000)
	})
}

func TestRowsOfOneInstantArePagedByTheirIDs(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		createTasks(t, s, "ann", numbered(9)...)
		require.NoError(t, models.AcrossOwners(s.db).Exec("UPDATE tasks SET created_at = ?, updated_at = ?",
			time.Date(2026, 1, 8, 10, 30, 0, 123456000, time.UTC), time.Date(2026, 1, 8, 10, 30, 0, 0, time.UTC)).Error)
		for _, order := range []string{"created_at", "updated_at"} {
			rows := make([]Letter, 9)
			for i, id := range ids(t, rowsOf(t, s.as("ann").ask(t, 200, "/api/tasks", "?sort=title"))) {
				rows[i].ID = id
			}
			slices.SortFunc(rows, func(a, b Letter) int { return cmp.Compare(a.ID, b.ID) })
			s.requireOrder(t, "/api/tasks", order, rows)
		}
	})
}

// otherForms are forms in which a table that another program made may hold one instant in SQLite.
var otherForms = []string{
	"2026-01-08 10:30:%02d.123456", "2026-01-08 10:30:%02d.000000", "2026-01-08 10:30:%02d", "2026-01-08T10:30:%02dZ",
	"2026-01-08 10:30:%02d+00:00", "2026-01-08 10:30:%02d.100000+00:00",
}

func TestPagesOfATableThatWasMadeElsewhereShowEachRowOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		for _, option := range []string{"", "?pgbouncer=true"} { // without and with times as text in the statements
			id, postgres := "id INTEGER PRIMARY KEY", strings.HasPrefix(databaseURL, "postgres:")
			switch {
			case postgres:
				databaseURL, id = newPostgres(t)+strings.Replace(option, "?", "&", 1), "id SERIAL PRIMARY KEY"
			case option != "":
				return
			}
			elsewhere := openDirectly(t, databaseURL, fmt.Sprintf(existingTasks, id, "user_id VARCHAR", "completed BOOLEAN"))
			for i := range 30 {
				at := fmt.Sprintf(otherForms[i%len(otherForms)], i%10)
				_, err := elsewhere.Exec(fmt.Sprintf(`INSERT INTO tasks (user_id, title, completed, created_at, updated_at)
					VALUES ('ann', 'old %d', %t, '%s', '%s')`, i, i%2 == 0, at, at))
				require.NoError(t, err)
			}
			s := newServer(t, databaseURL)
			ann := s.as("ann")
			createTasks(t, s, "ann", numbered(5)...)
			for i, task := range ann.list(t) {
				if i%3 == 0 {
					ann.call(t, 200, "PATCH", path(task.ID)+"/complete")
				}
			}
			for _, order := range ann.orders(t, "/api/tasks") {
				for _, filter := range []string{"&limit=1", "&limit=4", "&limit=3&status=pending", "&limit=2&q=old"} {
					whole := ann.ask(t, 200, "/api/tasks", "?sort="+order+strings.Replace(filter, "limit", "ignored", 1))
					require.Equal(t, rowsOf(t, whole), slices.Concat(ann.walk(t, "/api/tasks", "?sort="+order+filter)...), order+filter+option)
				}
			}
		}
	})
}
