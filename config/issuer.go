package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Issuer is an authentication server that publishes the public keys of its tokens. An empty KeySetURL means no issuer.
type Issuer struct {
	// KeySetURL is the address of the key set (JWKS, RFC 7517).
	KeySetURL string
	// Name is the required iss of a token. One of Audiences is a required member of its aud.
	Name      string
	Audiences []string
	// AudienceClaim is the claim that is judged in place of a missing aud: azp, client_id, or none.
	AudienceClaim string
}

// demander reports a fault unless a condition is met.
type demander func(met bool, format string, args ...any)

// parseIssuer returns the issuer that the settings describe.
func (c *Config) parseIssuer(demand demander) (issuer Issuer) {
	if c.BetterAuthURL == "" && c.JWKSURL == "" {
		const unused = "%s: needs BETTER_AUTH_URL or JWKS_URL: tokens of a shared secret are not held against it"
		demand(c.JWTIssuer == "", unused, "JWT_ISSUER")
		demand(c.JWTAudience == "", unused, "JWT_AUDIENCE")
		demand(c.AudienceClaim == "", unused, "JWT_AUDIENCE_CLAIM")
		return issuer
	}
	if c.BetterAuthURL != "" {
		base := c.parseKeyURL("BETTER_AUTH_URL", c.BetterAuthURL, demand)
		demand(base.RawQuery == "", "BETTER_AUTH_URL: takes no parameters")
		issuer.Name = origin(base)
		issuer.KeySetURL = issuer.Name + cmp.Or(strings.TrimRight(base.Path, "/"), "/api/auth") + "/jwks"
	}
	if c.JWKSURL != "" {
		issuer.KeySetURL = c.parseKeyURL("JWKS_URL", c.JWKSURL, demand).String()
	}
	audience := cmp.Or(c.JWTAudience, issuer.Name)
	for name := range strings.SplitSeq(audience, ",") {
		issuer.Audiences = append(issuer.Audiences, strings.TrimSpace(name))
	}
	demand(audience == "" || !slices.Contains(issuer.Audiences, ""), "JWT_AUDIENCE: has an empty member")
	issuer.AudienceClaim = c.AudienceClaim
	known := slices.Contains([]string{"", "azp", "client_id"}, c.AudienceClaim)
	demand(known, "JWT_AUDIENCE_CLAIM: must be azp or client_id, got %q", c.AudienceClaim)
	issuer.Name = cmp.Or(c.JWTIssuer, issuer.Name)
	const missing = "%s: must be set if JWKS_URL is and BETTER_AUTH_URL is not"
	demand(issuer.Name != "", missing, "JWT_ISSUER")
	demand(audience != "", missing, "JWT_AUDIENCE")
	return issuer
}

// parseKeyURL parses the URL of a key set. In production it must be https, except on a private network: who can change the
// keys on their way can sign tokens for any user.
func (c *Config) parseKeyURL(name, text string, demand demander) *url.URL {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		demand(false, "%s: is not a URL such as https://app.example.com", name)
		return &url.URL{}
	}
	demand(!c.Production() || u.Scheme == "https" || private(u.Hostname()), "%s: needs https in production, except on a private network", name)
	return u
}

// origin returns a URL's origin as browsers write it: in lower case, without the default port.
func origin(u *url.URL) string {
	implied := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return u.Scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Host), implied)
}

// private reports whether a host is on a private network: a private or loopback address, or a name without a dot.
func private(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return !strings.Contains(host, ".")
	}
	return address.IsLoopback() || address.IsPrivate()
}
