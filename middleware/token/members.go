package token

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// members are the members of a JSON object, not yet decoded. They come from the client.
type members map[string]jsontext.Value

// decodePart decodes a part of a token that is a JSON object.
func decodePart(part string, into any, options ...json.Options) error {
	text, err := base64url.DecodeString(part)
	if err == nil {
		err = json.Unmarshal(text, into, options...)
	}
	return err
}

// base64url is the encoding of the parts of a token (RFC 7515, section 2). It refuses unused bits that are not zero, but skips line
// breaks.
var base64url = base64.RawURLEncoding.Strict()

// text returns a member that is a text, or "".
func (m members) text(name string) string { return textOf(m[name]) }

// textOf returns a value that is a text, or "".
func textOf(value jsontext.Value) (text string) {
	if json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}

func (m members) print(w io.Writer, title string) {
	fmt.Fprintf(w, "\n%s\n", title)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		text := printable(m[name])
		if slices.Contains([]string{"exp", "nbf", "iat"}, name) {
			text += "\t" + describeTime(m[name])
		}
		fmt.Fprintf(w, "  %s\t%s\n", escape(name), text)
	}
}

// printable returns a value in about 200 characters at most, without control characters for a terminal.
func printable(value jsontext.Value) string {
	if value == nil {
		return "missing"
	}
	return escape(string(value))
}

func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if b.Len() > 200 {
			return b.String() + "…"
		}
		if strconv.IsGraphic(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// describeTime returns a time in the local zone and its distance from now.
func describeTime(value jsontext.Value) string {
	at, err := seconds(value)
	if err != nil {
		return "(not a time)"
	}
	then := time.Unix(int64(at), 0)
	text, away := then.Format(time.DateTime+" MST, "), time.Until(then).Round(time.Second)
	if away > 0 {
		return text + "in " + away.String()
	}
	return text + (-away).String() + " ago"
}
