package tests

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// certify writes a certificate for 127.0.0.1, signed by itself, and its key.
func certify(t testing.TB, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o644))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return certificate, key
}

func TestTLSIsVerifiedAsTheURLAsksAndNeonsFormIsTakenAsItIs(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	own := ownPostgres(t)
	certificate, key := certify(t, own.dir)
	if os.Getuid() == 0 {
		require.NoError(t, exec.Command("chown", "postgres", certificate, key).Run())
	}
	access := filepath.Join(own.data(), "pg_hba.conf")
	rules, err := os.ReadFile(access)
	require.NoError(t, err)
	added := []byte("hostssl all neon 127.0.0.1/32 scram-sha-256\nhost all neon 127.0.0.1/32 reject\n")
	require.NoError(t, os.WriteFile(access, append(added, rules...), 0o600))
	conn, err := pgx.Connect(context.Background(), own.url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	for _, statement := range []string{
		"CREATE ROLE neon SUPERUSER LOGIN PASSWORD 'hunter2'", fmt.Sprintf("ALTER SYSTEM SET ssl_cert_file = '%s'", certificate),
		fmt.Sprintf("ALTER SYSTEM SET ssl_key_file = '%s'", key), "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()",
	} {
		_, err := conn.Exec(context.Background(), statement)
		require.NoError(t, err)
	}
	at := func(password, parameters string) string {
		return fmt.Sprintf("DATABASE_URL=postgresql://neon:%s@127.0.0.1:%d/postgres?%s", password, own.port, parameters)
	}
	require.Eventually(t, func() bool { // the server has read its settings again
		other, err := pgx.Connect(context.Background(), strings.TrimPrefix(at("hunter2", "sslmode=require"), "DATABASE_URL="))
		if err == nil {
			_ = other.Close(context.Background())
		}
		return err == nil
	}, waitLimit, 20*time.Millisecond)

	for _, parameters := range []string{"sslmode=require&channel_binding=require", "sslmode=verify-full&sslrootcert=" + certificate} {
		p := newHome(t).start(t, inProduction(at("hunter2", parameters))...)
		p.call(t, 201, "POST", "/api/tasks", tokenOf(t, "ann"), `{"title":"x"}`)
	}
	stranger, _ := certify(t, t.TempDir())
	for setting, reason := range map[string]string{
		at("hunter2", "sslmode=verify-full&sslrootcert="+stranger): "certificate",
		at("hunter2", "sslmode=verify-full"):                       "certificate",
		strings.Replace(at("hunter2", "sslmode=verify-full&sslrootcert="+certificate),
			"127.0.0.1", "localhost", 1): "localhost",
		at("hunter3", "sslmode=require"): "password authentication failed",
		at("hunter2", "sslmode=disable"): "rejects",
	} {
		got := newHome(t).run(t, inProduction("PORT=0", setting))
		refused(t, got, 1)
		require.Contains(t, got.stderr, reason)
		require.NotContains(t, got.stderr, "waiting")
		require.NotContains(t, got.stderr, "hunter")
	}
}
