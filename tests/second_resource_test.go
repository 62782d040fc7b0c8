package tests

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/models"
	"taskapi/models/database"
	"taskapi/routes"
)

func TestASecondResourceIsDeclaredByItsModelAndOneRoute(t *testing.T) {
	eachEngineWithGadgets(t, func(t *testing.T, s *server) {
		require.True(t, models.AcrossOwners(s.db).Migrator().HasTable("gadgets"))
		judge, err := s.judge()
		require.NoError(t, err)
		require.NoError(t, judge.doc.Validate(t.Context()))
		require.Empty(t, attack(t, s, judge.doc, nil))
		require.Empty(t, unguarded(s.db, &Gadget{}))
		require.Equal(t, 401, s.send(t, request{method: "GET", path: "/api/gadgets"}).StatusCode)
	})
}

func TestTheNetCatchesWhateverASecondResourceLeaks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServerWith(t, databaseURL, withMemos(""))
		for leak, finding := range map[string]string{
			"get":        "GET /api/memos/:id: another user's row is not answered as a missing one: the status is 200, not 404",
			"presence":   `GET /api/memos/:id: another user's row is not answered as a missing one: the header X-Presence is ["1"], not ["0"]`,
			"replace":    "PUT /api/memos/:id (application/json, call): another user's row was changed",
			"replace if": "PUT /api/memos/:id (header If-Match=*): another user's row is not answered as a missing one: the status is 200, not 404",
			"remove":     "DELETE /api/memos/:id: another user's row was changed",
			"create":     "POST /api/memos (application/json, call): shows another user's row",
			"list":       "GET /api/memos: differs when another user has one row more: the body",
			"search":     "GET /api/memos (query q=Call Ann): differs when another user has one row more: the body",
			"count":      "GET /api/memos (query count=true): differs when another user has one row more: the header X-Total-Count",
			"sort":       "GET /api/memos (query sort=text): differs when another user has one row more: the body",
			"page":       "GET /api/memos (query limit=1) ?limit=1&cursor=",
		} {
			t.Run(leak, func(t *testing.T) {
				findings := attack(t, s.with(withMemos(leak)), memoDocument(t), nil)
				requireFinding(t, findings, finding)
				for _, f := range findings {
					require.Contains(t, f, " /api/memos")
				}
			})
		}
	})
}

func TestTheNetFailsForARouteThatItCannotAttack(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		correct := withMemos("")
		s := newServerWith(t, databaseURL, correct)
		without := func(method string) declared {
			return declared{routes: func(db *gorm.DB) []routes.Route {
				return slices.DeleteFunc(correct.routes(db), func(r routes.Route) bool { return r.Method == method })
			}}
		}
		withGet := func(path string) declared {
			ok := func(c *fiber.Ctx) error { return c.JSON([]memo{}) }
			return declared{routes: func(db *gorm.DB) []routes.Route {
				return append(correct.routes(db), routes.Route{Method: fiber.MethodGet, Path: path, Handler: ok})
			}}
		}
		document := func(path string) func(*openapi3.T) {
			return func(doc *openapi3.T) { doc.Paths.Set(path, &openapi3.PathItem{Get: openapi3.NewOperation()}) }
		}
		makeMemo := func(user string) (int64, error) {
			row := memo{UserID: user, Text: "made"}
			err := models.CreateOwned(t.Context(), s.db, user, &row)
			return row.ID, err
		}
		makeNone := func(string) (int64, error) { return 0, errors.New("no memo today") }
		example := func(value any) *openapi3.RequestBodyRef {
			media := &openapi3.MediaType{Example: value}
			return &openapi3.RequestBodyRef{Value: &openapi3.RequestBody{Content: openapi3.Content{"application/json": media}}}
		}
		for name, row := range map[string]struct {
			declared declared
			makeMemo maker
			change   func(doc *openapi3.T)
			finding  string // "" is none
		}{
			"a function instead of a POST": {declared: without("POST"), makeMemo: makeMemo},
			"no POST": {
				declared: without("POST"),
				finding:  "GET /api/memos/:id: cannot be attacked: there is no POST /api/memos",
			},
			"a function that makes no row": {
				declared: without("POST"), makeMemo: makeNone,
				finding: "GET /api/memos/:id: cannot be attacked: no row can be made: no memo today",
			},
			"a POST that makes no row": {
				declared: correct,
				change:   func(doc *openapi3.T) { doc.Paths.Value("/api/memos").Post.RequestBody = example(map[string]any{}) },
				finding:  "GET /api/memos/:id: cannot be attacked: POST /api/memos answers no row: 422",
			},
			"a body without an example": {
				declared: correct,
				change:   func(doc *openapi3.T) { doc.Paths.Value("/api/memos/{id}").Put.RequestBody = example(nil) },
				finding:  "PUT /api/memos/:id: cannot be attacked: the document has no example of its body",
			},
			"an example that is refused": {
				declared: correct,
				change:   func(doc *openapi3.T) { doc.Paths.Value("/api/memos/{id}").Put.RequestBody = example(map[string]any{}) },
				finding:  "PUT /api/memos/:id (application/json, example): the attack shows nothing: the owner of the row is answered 422",
			},
			"a parameter without a value": {
				declared: correct,
				change: func(doc *openapi3.T) {
					q := doc.Paths.Value("/api/memos").Get.Parameters[0].Value
					q.Name, q.Example = "text", nil
				},
				finding: "GET /api/memos: cannot be attacked: the document has no value of its parameter text",
			},
			"an operation that is not in the document": {
				declared: correct,
				change:   func(doc *openapi3.T) { doc.Paths.Value("/api/memos/{id}").Put = nil },
				finding:  "PUT /api/memos/:id: is not in the document",
			},
			"rows that nobody can see": {
				declared: without("GET"),
				finding:  "PUT /api/memos/:id: its owner does not see the row: 405",
			},
			"a second parameter": {
				declared: withGet("/api/memos/:id/lines/:line"), change: document("/api/memos/{id}/lines/:line"),
				finding: "GET /api/memos/:id/lines/:line: cannot be attacked: of parameters, the net knows :id only",
			},
			"a list of an unknown resource": {
				declared: withGet("/api/others"), change: document("/api/others"),
				finding: "GET /api/others: cannot be attacked: the net knows of no resource here",
			},
			"a list that never shows anything": {
				declared: withGet("/api/memos/in/short"), change: document("/api/memos/in/short"),
				finding: "GET /api/memos/in/short: the attack shows nothing: the owner is answered the same with one row more",
			},
		} {
			t.Run(name, func(t *testing.T) {
				doc := memoDocument(t)
				if row.change != nil {
					row.change(doc)
				}
				findings := attack(t, s.with(row.declared), doc, map[string]maker{"/api/memos": row.makeMemo})
				if row.finding == "" {
					require.Empty(t, findings)
				} else {
					requireFinding(t, findings, row.finding)
				}
			})
		}
	})
}

func TestTheNetFailsForARouteThatNeedsNoToken(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		doc := memoDocument(t)
		for _, path := range []string{"/api/tasks/:id/public", "/api/tasks/in/public"} {
			s.app.Get(path, func(*fiber.Ctx) error { return fiber.ErrNotFound })
			doc.Paths.Set(strings.Replace(path, ":id", "{id}", 1), &openapi3.PathItem{Get: openapi3.NewOperation()})
		}
		findings := attack(t, s, doc, nil)
		requireFinding(t, findings, "GET /api/tasks/:id/public: is answered without a token: 404")
		requireFinding(t, findings, "GET /api/tasks/in/public: is answered without a token: 404")
	})
}

func requireFinding(t testing.TB, findings []string, prefix string) {
	t.Helper()
	found := slices.ContainsFunc(findings, func(f string) bool { return strings.HasPrefix(f, prefix) })
	require.True(t, found, "%s", strings.Join(findings, "\n"))
}

func TestAServerThatDoesNotMigrateDemandsTheTableOfEachDeclaredModel(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		newServer(t, databaseURL)
		cfg, err := parse("DATABASE_URL", databaseURL, "AUTO_MIGRATE", "false")
		require.NoError(t, err)
		owned, log := append(models.Owned(), gadgets.models...), slog.New(slog.DiscardHandler)
		_, err = database.Open(context.Background(), cfg, owned, log)
		require.ErrorContains(t, err, "run the command migrate")
		require.ErrorContains(t, err, "gadgets")
		require.NoError(t, database.Migrate(context.Background(), cfg, owned, log))
		db, err := database.Open(context.Background(), cfg, owned, log)
		require.NoError(t, err)
		require.NoError(t, database.Close(db))
	})
}

func TestADeclaredModelIsCopied(t *testing.T) {
	eachDatabase(t, func(t *testing.T, from string) {
		source := newServerWith(t, from, gadgets)
		judge, err := source.judge()
		require.NoError(t, err)
		makeRows(t, source, judge.doc, nil, "ann")
		want, rows := countRows(t, source), source.as("ann").call(t, 200, "GET", "/api/gadgets")
		require.NotZero(t, want["gadgets"])
		for name, newTarget := range map[string]func(testing.TB) string{"to SQLite": newSQLite, "to PostgreSQL": newPostgres} {
			t.Run(name, func(t *testing.T) {
				to := newTarget(t)
				require.NoError(t, copyModels(t, from, to, append(models.Owned(), gadgets.models...)))
				target := newServerWith(t, to, gadgets)
				require.Equal(t, want, countRows(t, target))
				require.Equal(t, string(rows.body), string(target.as("ann").call(t, 200, "GET", "/api/gadgets").body))
			})
		}
	})
}
