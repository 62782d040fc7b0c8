package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
)

// owner and attacker are the two users of the net. No answer to the attacker may hold the owner's name.
const owner, attacker = "net-owner", "net-attacker"

// maker makes a row in a user's name and returns its id.
type maker func(user string) (id int64, err error)

// attack is the net that no leak between users gets through. It asks every route of the app, as another user than the
// owner, for the owner's rows, and returns a finding for each route that shows or changes something of them, and for each
// that it cannot attack. A row that is not the caller's must be answered as one that does not exist, and a list as if the
// owner had no rows.
//
// The net knows no resource. It makes rows by each resource's own POST, with bodies and values of parameters from the
// document's examples. For a resource without a POST, makers has a function, by the path of the collection.
func attack(t testing.TB, s *server, doc *openapi3.T, makers map[string]maker) []string {
	t.Helper()
	n, routes := newNet(t, s, doc, makers)
	if len(n.collections) == 0 {
		n.find("no route names a row by its id")
	}
	for _, r := range routes {
		n.attackRoute(r)
	}
	return n.findings
}

// makeRows makes a row of each resource in a user's name.
func makeRows(t testing.TB, s *server, doc *openapi3.T, makers map[string]maker, user string) {
	t.Helper()
	n, _ := newNet(t, s, doc, makers)
	for _, collection := range n.collections {
		n.makeRow(user, target{name: collection, collection: collection})
	}
	require.Empty(t, n.findings)
}

// newNet finds the resources of an app, and the routes that may reach their rows.
func newNet(t testing.TB, s *server, doc *openapi3.T, makers map[string]maker) (n *isolationNet, routes []fiber.Route) {
	n = &isolationNet{t: t, s: s, doc: doc, makers: makers, routes: map[string]bool{}, own: map[string]answer{}}
	for _, r := range s.app.GetRoutes(true) {
		if slices.Contains(documentationRoutes, r.Path) {
			continue
		}
		routes = append(routes, r)
		n.routes[r.Method+" "+r.Path] = true
		if collection, _, found := strings.Cut(r.Path, "/:id"); found && !slices.Contains(n.collections, collection) {
			n.collections = append(n.collections, collection)
		}
	}
	n.collections = slices.AppendSeq(n.collections, maps.Keys(makers))
	return n, routes
}

type isolationNet struct {
	t           testing.TB
	s           *server
	doc         *openapi3.T
	makers      map[string]maker
	routes      map[string]bool   // by method and path
	collections []string          // the paths of the resources
	own         map[string]answer // how the attacker's own row of each collection looks
	findings    []string
}

func (n *isolationNet) find(format string, args ...any) {
	n.findings = append(n.findings, fmt.Sprintf(format, args...))
}

// routeParameter is a part of a path that a request chooses.
var routeParameter = regexp.MustCompile(`[:*+][^/]*`)

func (n *isolationNet) attackRoute(r fiber.Route) {
	name := r.Method + " " + r.Path
	item := n.doc.Paths.Value(strings.ReplaceAll(r.Path, ":id", "{id}"))
	method := r.Method
	if method == fiber.MethodHead {
		method = fiber.MethodGet
	}
	if item == nil || item.GetOperation(method) == nil {
		n.find("%s: is not in the document", name)
		return
	}
	operation, parameters := item.GetOperation(method), routeParameter.FindAllString(r.Path, -1)
	if operation.Security != nil && len(*operation.Security) == 0 && len(parameters) == 0 {
		return // knows no user
	}
	target := target{name: name, method: r.Method, path: r.Path}
	for _, collection := range n.collections {
		inside := r.Path == collection || strings.HasPrefix(r.Path, collection+"/")
		if inside && len(collection) > len(target.collection) {
			target.collection = collection
		}
	}
	if target.collection == "" {
		n.find("%s: cannot be attacked: the net knows of no resource here, and needs a function that makes a row", name)
		return
	}
	tries, ok := n.tries(target, append(item.Parameters, operation.Parameters...), operation.RequestBody)
	if !ok || !n.makeOwn(target) {
		return
	}
	switch {
	case len(parameters) == 0 && method == fiber.MethodGet:
		n.attackList(target, tries)
	case len(parameters) == 0:
		n.attackCollection(target, tries)
	case slices.Equal(parameters, []string{":id"}):
		n.attackRow(target, tries)
	default:
		n.find("%s: cannot be attacked: of parameters, the net knows :id only", name)
	}
}

// target is a route under attack.
type target struct{ name, method, path, collection string }

// try is one way to send a request to a route: what the document's examples say of it.
type try struct {
	name   string
	query  url.Values
	header map[string]string
	body   []byte
	plain  bool   // has no parameter
	text   string // the query parameter that takes any text, if this is about one
}

// send sends a request that tries something; of paths with :id, for a row.
func (n *isolationNet) send(user string, r target, id int64, with try) answer {
	n.t.Helper()
	sent := request{method: r.method, path: strings.ReplaceAll(r.path, ":id", fmt.Sprint(id)), user: user, header: with.header}
	if with.body != nil {
		sent.body = with.body
	}
	if len(with.query) > 0 {
		sent.path += "?" + with.query.Encode()
	}
	return n.s.sendUnchecked(n.t, sent)
}

// attackRow attacks a route that names a row. For each try, the owner has a new row, whose id the attacker knows.
func (n *isolationNet) attackRow(r target, tries []try) {
	for _, with := range tries {
		name := r.name + with.name
		id, ok := n.makeRow(owner, r)
		if !ok {
			return
		}
		before, ok := n.look(r, id)
		if !ok {
			return
		}
		other, missing := n.send(attacker, r, id, with), n.send(attacker, r, id+1_000_000, with)
		if differs := difference(other, missing); differs != "" {
			n.find("%s: another user's row is not answered as a missing one: %s", name, differs)
		}
		n.requireToken(name, r, id, with)
		if after, ok := n.look(r, id); !ok || difference(after, before) != "" {
			n.find("%s: another user's row was changed: %d %.300s, before: %.300s", name, after.StatusCode, after.body, before.body)
			continue
		}
		if with.plain {
			if got := n.send(owner, r, id, with); got.StatusCode >= 300 {
				n.find("%s: the attack shows nothing: the owner of the row is answered %d %s", name, got.StatusCode, got.body)
			}
		}
	}
}

// attackList attacks a route that reads and names no row: whatever it is asked, the attacker must see no difference when
// the owner has one row more.
func (n *isolationNet) attackList(r target, tries []try) {
	for _, with := range slices.Clone(tries) {
		for _, text := range n.ownTexts(r) {
			if with.text != "" && with.query.Get(with.text) != text {
				tries = append(tries, try{}.with(openapi3.ParameterInQuery, with.text, text))
			}
		}
	}
	if _, ok := n.makeRow(owner, r); !ok {
		return
	}
	before := make([]answer, len(tries))
	for i, with := range tries {
		before[i] = n.send(attacker, r, 0, with)
	}
	plain := n.send(owner, r, 0, try{})
	if _, ok := n.makeRow(owner, r); !ok {
		return
	}
	if difference(n.send(owner, r, 0, try{}), plain) == "" {
		n.find("%s: the attack shows nothing: the owner is answered the same with one row more", r.name)
	}
	for i, with := range tries {
		name := r.name + with.name
		after := n.send(attacker, r, 0, with)
		if differs := difference(after, before[i]); differs != "" {
			n.find("%s: differs when another user has one row more: %s", name, differs)
		}
		n.requireNothingShown(name, after)
		n.requireToken(name, r, 0, with)
		for _, link := range nextPage.FindAllStringSubmatch(n.send(owner, r, 0, with).Header.Get("Link"), -1) {
			page := n.s.sendUnchecked(n.t, request{method: r.method, path: r.path + link[1], user: attacker})
			n.requireNothingShown(name+" "+link[1], page)
		}
	}
}

// nextPage finds the query of a list's next page in a Link header (RFC 8288).
var nextPage = regexp.MustCompile(`<(\?[^>]*)>`)

// attackCollection attacks a route that changes something and names no row: it must not reach one that its body names.
func (n *isolationNet) attackCollection(r target, tries []try) {
	id, ok := n.makeRow(owner, r)
	if !ok {
		return
	}
	before, ok := n.look(r, id)
	if !ok {
		return
	}
	for _, with := range tries {
		name := r.name + with.name
		var body map[string]any
		if json.Unmarshal(with.body, &body) == nil {
			body["id"], body["user_id"] = id, owner
			with.body, _ = json.Marshal(body)
		}
		n.requireNothingShown(name, n.send(attacker, r, 0, with))
		n.requireToken(name, r, 0, with)
		if after, ok := n.look(r, id); !ok || difference(after, before) != "" {
			n.find("%s: another user's row was changed: %d %.300s, before: %.300s", name, after.StatusCode, after.body, before.body)
			return
		}
	}
}

// requireToken demands that a route refuses those who do not say who they are.
func (n *isolationNet) requireToken(name string, r target, id int64, with try) {
	if got := n.send("", r, id, with); got.StatusCode != http.StatusUnauthorized {
		n.find("%s: is answered without a token: %d", name, got.StatusCode)
	}
}

func (n *isolationNet) requireNothingShown(name string, got answer) {
	if got.StatusCode < 300 && bytes.Contains(got.body, []byte(owner)) {
		n.find("%s: shows another user's row: %.300s", name, got.body)
	}
}

// makeRow makes a row of the route's resource.
func (n *isolationNet) makeRow(user string, r target) (id int64, ok bool) {
	id, _, ok = n.make(user, r)
	return id, ok
}

// make makes a row of the route's resource by its own POST or, where that is missing, by the function given.
func (n *isolationNet) make(user string, r target) (id int64, made answer, ok bool) {
	if makeRow := n.makers[r.collection]; makeRow != nil && !n.routes["POST "+r.collection] {
		id, err := makeRow(user)
		if err != nil {
			n.find("%s: cannot be attacked: no row can be made: %v", r.name, err)
		}
		return id, answer{}, err == nil
	}
	post := target{"POST " + r.collection, fiber.MethodPost, r.collection, r.collection}
	item := n.doc.Paths.Value(r.collection)
	if item == nil || item.Post == nil || !n.routes[post.name] {
		n.find("%s: cannot be attacked: there is no %s that the document describes, and no function that makes a row", r.name, post.name)
		return 0, answer{}, false
	}
	tries, ok := n.tries(post, nil, item.Post.RequestBody)
	if !ok {
		return 0, answer{}, false
	}
	made = n.send(user, post, 0, tries[0])
	var row struct{ ID *int64 }
	if err := json.Unmarshal(made.body, &row); err != nil || made.StatusCode != http.StatusCreated || row.ID == nil {
		n.find("%s: cannot be attacked: %s answers no row: %d %s", r.name, post.name, made.StatusCode, made.body)
		return 0, answer{}, false
	}
	return *row.ID, made, true
}

// makeOwn gives the attacker one row of the route's resource.
func (n *isolationNet) makeOwn(r target) bool {
	if _, there := n.own[r.collection]; there {
		return true
	}
	_, made, ok := n.make(attacker, r)
	if ok {
		n.own[r.collection] = made
	}
	return ok
}

// ownTexts are the texts of the attacker's own row, which are those of the owner's rows as well.
func (n *isolationNet) ownTexts(r target) (texts []string) {
	var row map[string]any
	_ = json.Unmarshal(n.own[r.collection].body, &row)
	for _, name := range slices.Sorted(maps.Keys(row)) {
		if text, ok := row[name].(string); ok && text != attacker {
			texts = append(texts, text)
		}
	}
	return texts
}

// look is how the owner sees a row: by itself or, where no route shows that, in the list.
func (n *isolationNet) look(r target, id int64) (got answer, ok bool) {
	get := target{method: fiber.MethodGet, path: r.collection + "/:id"}
	if !n.routes["GET "+get.path] {
		get.path = r.collection
	}
	got = n.send(owner, get, id, try{})
	if got.StatusCode != http.StatusOK {
		n.find("%s: its owner does not see the row: %d %s", r.name, got.StatusCode, got.body)
	}
	return got, got.StatusCode == http.StatusOK
}

// difference says in what two answers differ, but for their time and the request's id. "" is in nothing.
func difference(got, want answer) string {
	if got.StatusCode != want.StatusCode {
		return fmt.Sprintf("the status is %d, not %d", got.StatusCode, want.StatusCode)
	}
	if !bytes.Equal(got.body, want.body) {
		return fmt.Sprintf("the body is %.300s, not %.300s", got.body, want.body)
	}
	names := slices.Collect(maps.Keys(got.Header))
	for _, name := range slices.AppendSeq(names, maps.Keys(want.Header)) {
		a, b := got.Header.Values(name), want.Header.Values(name)
		if name != "Date" && name != "X-Request-Id" && !slices.Equal(a, b) {
			return fmt.Sprintf("the header %s is %q, not %q", name, a, b)
		}
	}
	return ""
}
