package tests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEachRuleOfEachFieldHoldsAtItsBounds(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		kept, other := r.create(t, "ann", r.example), r.create(t, "bob", r.example)
		for _, name := range slices.Concat(r.fields, r.patchOnly()) {
			p, inInput := r.patch.Properties[name], slices.Contains(r.fields, name)
			for _, with := range p.samples() {
				t.Run(fmt.Sprintf("%s %.40q", name, with.value), func(t *testing.T) {
					whole := toBody(r.with(name, with.value))
					switch {
					case with.fault != "":
						change := toBody(map[string]string{name: with.value})
						r.requireRefused(t, r.s.as("ann").call(t, 422, "PATCH", kept.path, change), name, with)
						if inInput {
							r.requireRefused(t, r.s.as("ann").call(t, 422, "POST", r.path, whole), name, with)
							r.requireRefused(t, r.s.as("ann").call(t, 422, "PUT", kept.path, whole), name, with)
						}
					case inInput:
						for _, got := range []row{r.create(t, "bob", r.with(name, with.value)), r.call(t, "bob", "PUT", other.path, whole)} {
							requireSame(t, p, with.value, got.members[name])
							require.Equal(t, got.text, r.call(t, "bob", "GET", got.path).text, "byte for byte")
						}
					}
				})
			}
		}
		require.Equal(t, "["+kept.text+"]", string(r.s.as("ann").call(t, 200, "GET", r.path).body), "what is refused changes nothing")
	})
}

// patchOnly are the fields that PATCH alone sets.
func (r *resource) patchOnly() (names []string) {
	for _, name := range r.columns {
		_, inInput := r.input.Properties[name]
		if _, inPatch := r.patch.Properties[name]; inPatch && !inInput {
			names = append(names, name)
		}
	}
	return names
}

// requireRefused demands a 422 that names the one fault.
func (r *resource) requireRefused(t testing.TB, got answer, name string, with sample) {
	t.Helper()
	if with.fault == "json_invalid" {
		require.Equal(t, "json_invalid", decode[validationError](t, got).Detail[0].Type)
		return
	}
	require.Equal(t, []string{with.fault + " " + name}, faultsIn(t, got))
	fault := decode[validationError](t, got).Detail[0]
	require.Equal(t, []any{"body", name}, fault.Loc)
	text := []rune(with.value)
	switch {
	case text[0] != '"':
		require.Equal(t, with.value, string(fault.Input))
	case len(with.value) > 100: // bytes
		require.JSONEq(t, quoted(string(text[1 : len(text)-1][:min(100, len(text)-2)])), string(fault.Input))
	default:
		require.JSONEq(t, with.value, string(fault.Input))
	}
}

func TestAllFaultsOfABodyAreNamedAtOnceInTheOrderOfTheFields(t *testing.T) {
	eachResource(t, func(t *testing.T, r *resource) {
		kept := r.create(t, "ann", r.example)
		members, want := map[string]string{}, []string(nil)
		for i, name := range r.fields {
			required := slices.Contains(r.input.Required, name)
			if i > 0 && required {
				want = append(want, "missing "+name)
				continue
			}
			members[name] = "[]"
			want = append(want, wrongType[r.input.Properties[name].kind()]+" "+name)
		}
		for method, path := range map[string]string{"POST": r.path, "PUT": kept.path} {
			require.Equal(t, want, faultsIn(t, r.s.as("ann").call(t, 422, method, path, toBody(members))))
		}
		withID := faultsIn(t, r.s.as("ann").call(t, 422, "PUT", r.path+"/x", toBody(members)))
		require.Equal(t, append([]string{"int_parsing id"}, want...), withID)
		want = slices.DeleteFunc(want, func(fault string) bool { return strings.HasPrefix(fault, "missing ") })
		require.Equal(t, want, faultsIn(t, r.s.as("ann").call(t, 422, "PATCH", kept.path, toBody(members))))
		require.Equal(t, kept.text, r.call(t, "ann", "GET", kept.path).text)
	})
}
