package database

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"gorm.io/gorm"

	"taskapi/models"
)

// Collectors returns the metrics of the connection pool and of the isolation guard.
func Collectors(db *gorm.DB) []prometheus.Collector {
	guard := db.Plugins[(*models.Guard)(nil).Name()].(*models.Guard)
	all := []prometheus.Collector{prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "taskapi_isolation_guard_trips_total",
		Help: "Statements that could have crossed from one user to another and were stopped. Any is a bug of this program.",
	}, func() float64 { return float64(guard.Trips()) })}
	if pool, err := db.DB(); err == nil {
		all = append(all, collectors.NewDBStatsCollector(pool, "tasks"))
	}
	return all
}
