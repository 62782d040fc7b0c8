package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"regexp"
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
	text = strings.TrimSpace(text)
	if fault := wrapping(text); fault != "" {
		demand(false, "%s: %s", name, fault)
		return &url.URL{}
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		demand(false, "%s: is not a URL such as https://app.example.com", name)
		return &url.URL{}
	}
	demand(!c.Production() || u.Scheme == "https" || private(u.Hostname()),
		"%s: needs https in production, except on a private network (%s)", name, privateNetworks)
	return u
}

// privateNames matches the names that a private network gives: those without a dot, and those below domains that are reserved
// for it (RFC 6761, RFC 6762, RFC 8375, and by custom) or that a cluster's DNS has.
var privateNames = regexp.MustCompile(`^[^.]*$|\.(svc|internal|local|lan|home\.arpa|localhost)$`)

// sharedAddresses are those of RFC 6598, which clouds give to the hosts of a cluster.
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

const privateNetworks = "a name without a dot or below .svc, .internal, .local, .lan, .home.arpa or .localhost, " +
	"or a private, shared (100.64.0.0/10), link-local or loopback address"

// private reports whether a host is on a private network, as privateNetworks describes them.
func private(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return privateNames.MatchString(strings.ToLower(strings.TrimSuffix(host, ".")))
	}
	address = address.Unmap()
	return address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast() || sharedAddresses.Contains(address)
}
