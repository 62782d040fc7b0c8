//go:build unix

package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// BenchmarkCopy copies a million tasks of ten thousand users between the engines, and reports the most memory held.
func BenchmarkCopy(b *testing.B) {
	buildProgram(b)
	const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
	for name, engines := range map[string]struct{ source, target func(testing.TB) string }{
		"SQLite to PostgreSQL": {newSQLite, newPostgres},
		"PostgreSQL to SQLite": {newPostgres, newSQLite},
	} {
		b.Run(name, func(b *testing.B) {
			from := engines.source(b)
			source := models.AcrossOwners(newServer(b, from).db)
			require.NoError(b, source.Exec(numbers+"10000) INSERT INTO users SELECT 'user ' || i, '2026-01-08 10:30:00.123456+00:00' FROM n").Error)
			require.NoError(b, source.Exec(numbers+`1000000) INSERT INTO tasks SELECT i, 'user ' || (1 + i % 10000), 'Task number ' || i,
				'Some sixty characters that say more about what there is to do', i % 2 = 0,
				'2026-01-08 10:30:00.123456+00:00', '2026-01-08 10:30:00.123456+00:00' FROM n`).Error)
			var peak float64
			for b.Loop() {
				peak = max(peak, copyPeak(b, from, engines.target(b)))
			}
			b.ReportMetric(peak, "hwm-MB")
		})
	}
}
