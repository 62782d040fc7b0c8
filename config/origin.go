package config

import (
	"net/url"
	"slices"
	"strings"
)

// origin returns a URL's origin as browsers write it: in lower case, without the default port.
func origin(u *url.URL) string {
	implied := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return u.Scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Host), implied)
}

// validOrigin reports whether a text is a scheme and a host, or a pattern of these: the port may be "*", and one "*" may be the
// first label of the host, or a part of that label if at least two labels follow. A page's scheme is http, https or that of an
// app's shell or of a browser's extension.
func validOrigin(text string) bool {
	text = strings.TrimSuffix(text, ":*")
	u, err := url.Parse(text)
	if err != nil || slices.Contains([]string{"", "ftp", "ws", "wss"}, u.Scheme) || u.Scheme+"://"+u.Host != text {
		return false
	}
	label, rest, _ := strings.Cut(u.Hostname(), ".")
	switch strings.Count(u.Hostname(), "*") {
	case 0:
		return u.Hostname() != ""
	case 1:
		return label == "*" && rest != "" || strings.Contains(label, "*") && strings.Contains(strings.Trim(rest, "."), ".")
	}
	return false
}
