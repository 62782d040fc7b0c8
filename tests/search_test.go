package tests

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/models"
	"taskapi/routes"
)

// searches are texts, of a title and of a description or none, and what is searched for in them.
var searches = []struct {
	title, description, q string
	found                 bool
}{
	{"Buy groceries", "", "groceries", true}, {"Buy groceries", "", "GROCERIES buy", true}, {"Buy groceries", "", "roceri", true},
	{"Buy groceries", "", "buygroceries", false}, {"Buy groceries", "", "buy milk", false},
	{"Buy groceries", "milk, eggs", "buy milk", true}, {"Buy", "milk", "buymilk", false}, {"Buy", "milk", "ymi", false},
	{"Buy", "milk", "y\nm", true}, {"Buy", "", "null", false}, {"Buy", "", "ann", false}, {"Buy", "", "false", false},
	{"Buy", "", "2026", false}, {"x", "", "", true}, {"x", "", " \t\u00a0\u3000\u2028\n", true}, {"x", "", "\u200b", false},
	{"x\u200by", "", "\u200b", true}, {"x", "", "\ufeff", false}, {"ab", "", "a\u00a0b", true}, {"ab", "", "b\u3000a", true},
	{"ab", "", "b\u0085a", true}, {"ab", "", "\u1680b\u2009a\u205f", true}, {"ab", "", "b\u202fa\v\f\r", true},
	{"ab", "", "b\u180ea", false}, {"ab", "", "b\x1fa", false}, {"a\u00a0b", "", "\u00a0", true},
	{"ΟΔΥΣΣΕΥΣ", "", "οδυσσευς", true},
	{"σας", "", "ΣΑΣ", true}, {"ς", "", "σ", true}, {"σ", "", "ς", true}, {"100 K", "", "k", true}, {"100 k", "", "\u212a", true},
	{"\u212a", "", "K", true}, {"\u212b", "", "å", true}, {"Ω", "", "\u2126", true}, {"Straße", "", "STRAẞE", true},
	{"Straße", "", "strasse", false}, {"STRASSE", "", "straße", false}, {"İstanbul", "", "istanbul", false},
	{"istanbul", "", "İ", false}, {"ı", "", "i", false}, {"ı", "", "I", false}, {"I", "", "i", true}, {"İ", "", "i\u0307", false},
	{"ſ", "", "S", true}, {"µ", "", "μ", true}, {"ǅ", "", "ǆ", true}, {"ﬀ", "", "ff", false}, {"é", "", "É", true},
	{"é", "", "e", false}, {"é", "", "e\u0301", false}, {"e\u0301", "", "é", false}, {"e\u0301", "", "E\u0301", true},
	{"\u0345", "", "ι", true}, {"ᲀ", "", "В", true}, {"Ა", "", "ა", true}, {"ꭰ", "", "Ꭰ", true}, {"𐐀", "", "𐐨", true},
	{"😀", "", "😀", true}, {"😀", "", "😁", false}, {"\U0010ffff", "", "\U0010ffff", true}, {"a\nb", "", "a b", true},
	{"a\nb", "", "a.b", false}, {"a\r\nb", "c\nd", "d b", true}, {"\x01", "", "\x01", true}, {"x", "", "\x01", false},
	{"***:x", "", "***:x", true}, {"x", "", "***:x", false}, {"x", "", "***=x", false}, {"x", "", "(?i)x", false},
	{"(?i)x", "", "(?I)X", true}, {"x", "", "(?#c)x", false}, {"ab", "", "a|c", false}, {"xx", "", "x{2}", false},
	{"x", "", "[x]", false}, {"x", "", "^x$", false}, {"\\x", "", `\x`, true}, {"x", "", `\x`, false}, {"x", "", `\w`, false},
	{"x", "", `\m`, false}, {"tab\there", "", `\t`, false}, {"x", "", `\`, false}, {"a'b", "", "'", true}, {`a"b`, "", `"`, true},
	{"x", "", "' OR 1=1 --", false}, {"x", "", "$1", false}, {"x", "", ":x", false}, {"x @title", "", "@title", true},
	{"x", "", "?", false}, {"a-z", "", "a-z", true}, {"m", "", "a-z", false}, {"k-m", "", "K-M", true}, {"l", "", "k-m", false},
	{"x#y", "", "#", true}, {"x&y=z+1", "", "x&y=z+1", true},
}

func TestASearchFindsWhatHasEveryWord(t *testing.T) {
	eachCollation(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL)
		for i, c := range searches {
			user := fmt.Sprint("user ", i)
			task := models.NewTask(user, models.TaskInput{Title: c.title})
			if c.description != "" {
				task.Description = &c.description
			}
			require.NoError(t, models.CreateOwned(t.Context(), s.db, user, &task))
			got := s.as(user).ask(t, 200, "/api/tasks", "?q="+url.QueryEscape(c.q))
			require.Equal(t, c.found, len(rowsOf(t, got)) == 1, "%q in %q and %q", c.q, c.title, c.description)
		}
	})
}

func TestWildcardsAreLiteral(t *testing.T) {
	eachCollation(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL)
		special := strings.Split(`% _ * ? . [ ] ( ) { } ^ $ | \ + - , ; : = < > ! # @ & ~ / ' "`, " ")
		createTasks(t, s, "ann", special...)
		createTasks(t, s, "ann", "plain")
		for _, character := range special {
			got := decode[[]task](t, s.as("ann").ask(t, 200, "/api/tasks", "?q="+url.QueryEscape(character)))
			require.Equal(t, []string{character}, titles(got))
			for _, around := range []string{"p%sn", "plai%sn", "%splain", "plain%s", "p%s", "pl[a%s]in", "\\%s"} {
				s.requireFinds(t, 0, fmt.Sprintf(around, character))
			}
		}
	})
}

// requireFinds requires that a search finds so many of ann's tasks.
func (s *server) requireFinds(t testing.TB, want int, q string) {
	t.Helper()
	got := s.as("ann").ask(t, 200, "/api/tasks", "?count=true&q="+url.QueryEscape(q))
	require.Len(t, rowsOf(t, got), want, "%q", q)
	require.Equal(t, fmt.Sprint(want), got.Header.Get("X-Total-Count"))
}

func TestASearchLooksIntoTextsAndNothingElse(t *testing.T) {
	eachEngineWithGadgets(t, func(t *testing.T, s *server) {
		body := `{"name":"Whisk","note":%s,"colour":"green","size":"large","level":2,"serial":77777,"made":"2026-01-08T10:30:00Z"}`
		for _, note := range []string{"null", `"second drawer"`} {
			s.as("ann").call(t, 201, "POST", "/api/gadgets", fmt.Sprintf(body, note))
		}
		for q, want := range map[string]int{
			"whisk": 2, "WHISK drawer": 1, "drawer second": 1, "green": 0, "large": 0, "whisk green": 0, "77777": 0, "2026": 0,
			"null": 0, "ann": 0, "true": 0,
		} {
			require.Len(t, rowsOf(t, s.as("ann").ask(t, 200, "/api/gadgets", "?q="+url.QueryEscape(q))), want, q)
		}
	})
}

func TestASearchFindsNothingWhereThereAreNoTexts(t *testing.T) {
	type TallyInput struct {
		Count int64 `json:"count" gorm:"not null"`
	}
	type Tally struct {
		models.Owner
		TallyInput
		models.Timestamps
	}
	tallies := declared{models: []any{&Tally{}}, routes: func(db *gorm.DB) []routes.Route {
		return routes.Resource(db, "/api/tallies", func(userID string, in TallyInput) Tally {
			return Tally{Owner: models.Owner{UserID: userID}, TallyInput: in}
		})
	}}
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		ann := newServerWith(t, databaseURL, tallies).as("ann")
		ann.call(t, 201, "POST", "/api/tallies", `{"count":7}`)
		for q, want := range map[string]int{"7": 0, "x": 0, "x+y": 0, "": 1, "+": 1} {
			require.Len(t, rowsOf(t, ann.ask(t, 200, "/api/tallies", "?q="+q)), want, q)
		}
	})
}

// orbit returns the code points that SimpleFold joins with one.
func orbit(r rune) (all []rune) {
	all = []rune{r}
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		all = append(all, next)
	}
	return all
}

func TestEveryCodePointFindsAllThatAreEqualInUpperAndLowerCase(t *testing.T) {
	eachCollation(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL)
		var orbits [][]rune
		for r := range rune(unicode.MaxRune + 1) {
			if all := orbit(r); len(all) > 1 && r == all[0] && r < all[1] && !unicode.IsSpace(r) {
				orbits = append(orbits, all)
			}
		}
		require.Greater(t, len(orbits), 1300)
		for first := 0; first < len(orbits); first += 99 {
			some := orbits[first:min(first+99, len(orbits))]
			texts := make([]string, 4) // each has one code point of each orbit, and none has a second one of a longer orbit
			for i := range texts {
				for _, all := range some {
					texts[i] += string(all[i%len(all)]) + " "
				}
			}
			createTasks(t, s, "ann", texts...)
			for _, text := range texts {
				s.requireFinds(t, len(texts), text[:len(text)-1])
			}
			require.NoError(t, s.db.Scopes(models.OwnedBy("ann")).Delete(&models.Task{}).Error)
		}
	})
}

func TestASearchEndsWithItsRequestAlsoAfterItsFirstRow(t *testing.T) {
	if raceDetector {
		t.Skip("the search takes too long under the race detector")
	}
	t.Parallel()
	databaseURL := newSQLite(t)
	search := func(timeout string) (status int, took time.Duration) {
		s := newServer(t, databaseURL, "REQUEST_TIMEOUT", timeout)
		begin := time.Now()
		got := s.send(t, request{method: "GET", path: "/api/tasks?limit=2&q=" + strings.Repeat("x+", 97) + "found", user: "ann"})
		return got.StatusCode, time.Since(begin)
	}
	s := newServer(t, databaseURL)
	s.as("ann").create(t, "the first of all")
	long := strings.Repeat("é", 990) + "x"
	require.NoError(t, models.AcrossOwners(s.db).Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"+
		" INSERT INTO tasks (user_id, title, description, completed, created_at, updated_at)"+
		" SELECT 'ann', 'x', ?, false, '2026-01-08 10:30:00+00:00', '2026-01-08 10:30:00+00:00' FROM n", long).Error)
	s.as("ann").create(t, "x found") // the newest: the first row
	status, whole := search("7s")
	require.Equal(t, 200, status)
	status, cut := search("50ms")
	require.Equal(t, 503, status)
	t.Logf("%v in all, %v until the deadline was seen", whole, cut)
	require.Less(t, cut, whole/2)
}
