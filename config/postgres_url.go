package config

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

var (
	// urlParameters are the parameters of a URL that pgx reads, and those that it passes on to the session.
	urlParameters = strings.Fields(`
		host port user password database dbname passfile service servicefile connect_timeout target_session_attrs
		sslcert sslkey sslrootcert sslpassword sslsni sslnegotiation sslcertmode channel_binding require_auth
		krbsrvname krbspn min_protocol_version max_protocol_version
		default_query_exec_mode statement_cache_capacity description_cache_capacity
		application_name options search_path role timezone TimeZone statement_timeout lock_timeout transaction_timeout
		idle_in_transaction_session_timeout idle_session_timeout work_mem default_transaction_isolation`)
	// urlHints are hints for other drivers and their pools, which mean nothing here. One with a value has no other. What weakens
	// TLS if it is ignored is not among them. All that begin with pool_ are hints as well.
	urlHints = strings.Fields(`
		connection_limit socket_timeout statement_cache_size max_connection_lifetime max_idle_connection_lifetime
		single_use_connections sslaccept=accept_invalid_certs
		supa workaround
		client_encoding fallback_application_name keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout
		load_balance_hosts gsslib gssencmode=disable gssencmode=prefer gssdelegation=0 sslcompression=0
		command_timeout timeout max_cached_statement_lifetime max_cacheable_statement_size direct_tls=false
		prepared_statement_cache_size prepared_statement_name_func async_fallback prepare_threshold
		uselibpqcompat max min idleTimeoutMillis connectionTimeoutMillis query_timeout keepAlive keepAliveInitialDelayMillis
		allowExitOnIdle encoding binary enableChannelBinding prepare fetch_types idle_timeout max_lifetime keep_alive
		pool prepared_statements binary_parameters`)
	// sslModes are other drivers' words for libpq's modes.
	sslModes = map[string]string{"true": "require", "1": "require", "no-verify": "require", "false": "disable", "0": "disable"}
)

func parsePostgres(text string) (Database, error) {
	u, err := url.Parse(text)
	if err != nil || u.User == nil && strings.Contains(text, "@") || strings.Contains(u.Path, "@") { // a password with a / is parsed as a path
		return Database{}, errors.New("is not a valid URL (special characters in the password must be percent-encoded)")
	}
	pooled, err := parsePooled(u)
	if err != nil {
		return Database{}, err
	}
	ignored, err := translateParameters(u, pooled)
	if err != nil {
		return Database{}, err
	}
	if u.Host == "" && u.Path == "" {
		u.Path = "/" // else String would drop the slashes before the parameters
	}
	if _, err := pgx.ParseConfig(u.String()); err != nil {
		_, reason, _ := strings.Cut(err.Error(), "`: ") // the part before quotes the URL
		return Database{}, errors.New("is not usable: " + reason)
	}
	return Database{Engine: PostgreSQL, Source: u.String(), Pooled: pooled, Ignored: ignored}, nil
}

// translateParameters gives a URL that was made for another driver pgx's parameters. It removes hints, and returns their names.
func translateParameters(u *url.URL, pooled bool) (ignored []string, err error) {
	var kept, unknown []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case name == "" || name == "pgbouncer" || name == "ssl" && u.Query().Has("sslmode"):
		case name == "ssl" || name == "sslmode":
			kept = append(kept, "sslmode="+cmp.Or(sslModes[value], value))
		case name == "schema" && (value == "" || pooled && value == "public"): // the default, and PgBouncer refuses search_path
		case name == "schema":
			kept = append(kept, "search_path=%22"+strings.ReplaceAll(value, "%22", "%22%22")+"%22")
		case slices.Contains(urlParameters, name):
			kept = append(kept, pair)
		case slices.Contains(urlHints, name) || slices.Contains(urlHints, pair) || strings.HasPrefix(name, "pool_"):
			ignored = append(ignored, name)
		default:
			unknown = append(unknown, name)
		}
	}
	if unknown != nil {
		return nil, errors.New("has parameters that are unknown here: " + strings.Join(unknown, ", "))
	}
	u.RawQuery = strings.Join(kept, "&")
	return ignored, nil
}

// parsePooled reports whether a URL is a pooler's: by the parameter pgbouncer (as in Prisma), else by the host (Neon's end in
// -pooler) or the port (PgBouncer's and Supabase's).
func parsePooled(u *url.URL) (pooled bool, err error) {
	if text := u.Query().Get("pgbouncer"); text != "" {
		if pooled, err = strconv.ParseBool(text); err != nil {
			err = errors.New("is not usable: pgbouncer must be true or false")
		}
		return pooled, err
	}
	label, _, _ := strings.Cut(u.Hostname(), ".")
	return strings.HasSuffix(label, "-pooler") || u.Port() == "6432" || u.Port() == "6543", nil
}
