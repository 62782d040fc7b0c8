package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"strings"
)

// Issuer is an authentication server that publishes the public keys of its tokens. An empty KeySetURL means no issuer.
type Issuer struct {
	// KeySetURL is the address of the key set (JWKS, RFC 7517).
	KeySetURL string
	// Name is the required iss of a token, and Audience a required member of its aud.
	Name, Audience string
}

// parseIssuer returns the issuer that the settings describe.
func (c *Config) parseIssuer(fault func(format string, args ...any)) (issuer Issuer) {
	if c.BetterAuthURL == "" && c.JWKSURL == "" {
		for name, value := range map[string]string{"JWT_ISSUER": c.JWTIssuer, "JWT_AUDIENCE": c.JWTAudience} {
			if value != "" {
				fault("%s: needs BETTER_AUTH_URL or JWKS_URL: tokens of a shared secret are not held against it", name)
			}
		}
		return issuer
	}
	if c.BetterAuthURL != "" {
		base := c.parseKeyURL("BETTER_AUTH_URL", c.BetterAuthURL, fault)
		if base.RawQuery != "" {
			fault("BETTER_AUTH_URL: takes no parameters")
		}
		issuer.Name = origin(base)
		issuer.KeySetURL = issuer.Name + cmp.Or(strings.TrimRight(base.Path, "/"), "/api/auth") + "/jwks"
	}
	if c.JWKSURL != "" {
		issuer.KeySetURL = c.parseKeyURL("JWKS_URL", c.JWKSURL, fault).String()
	}
	issuer.Audience = cmp.Or(c.JWTAudience, issuer.Name)
	issuer.Name = cmp.Or(c.JWTIssuer, issuer.Name)
	if issuer.Name == "" {
		fault("JWT_ISSUER: must be set if JWKS_URL is and BETTER_AUTH_URL is not")
	}
	if issuer.Audience == "" {
		fault("JWT_AUDIENCE: must be set if JWKS_URL is and BETTER_AUTH_URL is not")
	}
	return issuer
}

// parseKeyURL parses the URL of a key set. In production it must be https, except on a private network: who can change the
// keys on their way can sign tokens for any user.
func (c *Config) parseKeyURL(name, text string, fault func(format string, args ...any)) *url.URL {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		fault("%s: is not a URL such as https://app.example.com", name)
		return &url.URL{}
	case c.Production() && u.Scheme == "http" && !private(u.Hostname()):
		fault("%s: needs https in production, except on a private network", name)
	}
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
