package tests

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"taskapi/models"
)

// nasty are code points that a search could get wrong.
var nasty = []rune("aAkK\u212asSſßẞσΣςiIİıåÅ\u212béÉe\u0301ǅǆǄ日😀𐐀𐐨" +
	"\\[](){}^$|*+?.%_-'\"#:!=@&1 \t\n\u0085\u00a0\u3000\u2028\u200b\ufeff\u0345ιΙ\u1fbe\x01\U0010ffff")

// nastyText generates texts of nasty code points, mostly short ones of few.
func nastyText(most int) *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringOfN(rapid.SampledFrom(nasty), 0, most, -1), rapid.StringOfN(rapid.SampledFrom(nasty[:12]), 0, 6, -1),
		rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 0, most, -1))
}

// matches is what a search means: each word is somewhere in one of the texts.
func matches(words []string, texts ...string) bool {
	return !slices.ContainsFunc(words, func(word string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return occurs([]rune(word), []rune(text)) })
	})
}

func occurs(word, text []rune) bool {
	for start := range max(0, len(text)-len(word)+1) {
		i := 0
		for i < len(word) && slices.Contains(orbit(word[i]), text[start+i]) {
			i++
		}
		if i == len(word) {
			return true
		}
	}
	return false
}

func TestASearchOfAnyTextIsThatOfTheModelOnBothEngines(t *testing.T) {
	t.Parallel()
	engines := []*server{newServer(t, newSQLite(t)), newServer(t, newPostgres(t)), newServer(t, newPostgresWith(t, unlikeC))}
	users := 0
	rapid.Check(t, func(rt *rapid.T) {
		users++
		user := fmt.Sprint("user ", users)
		rows := make([]models.Task, rapid.IntRange(1, 20).Draw(rt, "rows"))
		for i := range rows {
			rows[i] = models.NewTask(user, models.TaskInput{Title: rapid.Custom(func(t *rapid.T) string {
				return nastyText(60).Filter(func(text string) bool { return text != "" }).Draw(t, "title")
			}).Draw(rt, "title")})
			if rapid.Bool().Draw(rt, "described") {
				description := nastyText(100).Draw(rt, "description")
				rows[i].Description = &description
			}
		}
		for _, s := range engines {
			require.NoError(rt, models.CreateOwned(t.Context(), s.db, user, slices.Clone(rows)))
		}
		for range 10 {
			// A piece of one of the rows, in other case and with white space, or any text.
			q := nastyText(8).Draw(rt, "q")
			if rapid.Bool().Draw(rt, "piece") {
				row := rapid.SampledFrom(rows).Draw(rt, "row")
				piece := []rune(row.Title)
				from := rapid.IntRange(0, len(piece)-1).Draw(rt, "from")
				piece = piece[from:min(len(piece), from+rapid.IntRange(1, 5).Draw(rt, "length"))]
				for i, r := range piece {
					piece[i] = rapid.SampledFrom(orbit(r)).Draw(rt, "case")
				}
				q = string(piece) + rapid.SampledFrom([]string{"", " ", "\u00a0" + q}).Draw(rt, "more")
			}
			var want []string
			words := strings.FieldsFunc(q, func(r rune) bool { return unicode.Is(unicode.White_Space, r) })
			for _, row := range rows {
				texts := []string{row.Title}
				if row.Description != nil {
					texts = append(texts, *row.Description)
				}
				if matches(words, texts...) {
					want = append(want, row.Title)
				}
			}
			slices.Sort(want)
			for _, s := range engines {
				got := titles(decode[[]task](t, s.as(user).ask(t, 200, "/api/tasks", "?sort=title&q="+url.QueryEscape(q))))
				require.Len(rt, got, len(want), "%q: %q, not %q", q, got, want)
				require.True(rt, slices.Equal(want, got), "%q: %q, not %q", q, got, want)
			}
		}
	})
}
