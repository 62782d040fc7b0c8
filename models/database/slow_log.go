package database

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm/logger"
)

// slowStatement is how long a statement may take, including its wait for a connection and in a queue, before it is logged.
const slowStatement = 500 * time.Millisecond

// slowLog is GORM's logger: it logs slow statements with placeholders in place of their values, and nothing else.
type slowLog struct {
	logger.Interface // logs nothing
	log              *slog.Logger
}

// LogMode implements [logger.Interface]: there is only one mode.
func (l slowLog) LogMode(logger.LogLevel) logger.Interface { return l }

// Trace implements [logger.Interface]. It builds the text of slow statements only.
func (l slowLog) Trace(_ context.Context, begin time.Time, text func() (string, int64), err error) {
	if took := time.Since(begin); took >= slowStatement {
		sql, rows := text()
		l.log.Warn("slow statement", "duration", took, "sql", sql, "rows", rows, "failed", err != nil)
	}
}

// ParamsFilter implements [gorm.ParamsFilter]: it keeps the values out of the text.
func (slowLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) { return sql, nil }
