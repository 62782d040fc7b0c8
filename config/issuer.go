package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"strings"
)

// Issuer is an authentication server that publishes the public keys of its tokens. Without a KeySetURL there is none.
type Issuer struct {
	// KeySetURL is where the keys are (JWKS, RFC 7517).
	KeySetURL string
	// Name and Audience are what the tokens' iss must be and their aud must hold.
	Name, Audience string
}

// parseIssuer makes the issuer of the four settings that describe one.
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

// parseKeyURL reads a URL that keys are fetched from. On the public internet it needs TLS: whoever can change the keys
// can sign for anybody.
func (c *Config) parseKeyURL(name, text string, fault func(format string, args ...any)) *url.URL {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		fault("%s: is not a URL such as https://app.example.com", name)
		return &url.URL{}
	case c.Production() && u.Scheme == "http" && !private(u.Hostname()):
		fault("%s: needs https in production, but for a private network", name)
	}
	return u
}

// origin writes the origin of a URL as browsers do: in lower case, without the port that its scheme implies.
func origin(u *url.URL) string {
	implied := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return u.Scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Host), implied)
}

// private tells whether a host is one of a private network: an address of one, or a name without a dot.
func private(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return !strings.Contains(host, ".")
	}
	return address.IsLoopback() || address.IsPrivate()
}
