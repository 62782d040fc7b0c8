package database

import (
	"regexp"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// migrationLock is the key of the advisory lock that migrations take, the same for every version of this program.
const migrationLock = 0x7461736b617069 // "taskapi"

func (postgresEngine) inspect(*gorm.DB) error { return nil }

// missingRights implements [migrations]. The sequences are those that the defaults of the columns use.
func (postgresEngine) missingRights(db *gorm.DB, table string) (grants []string, err error) {
	return query[[]string](db, `WITH target AS (SELECT to_regclass(?) AS id)
		SELECT format('GRANT %s ON %s TO %I', string_agg(needed, ', '), id::regclass, current_user)
		FROM target, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed
		WHERE NOT has_table_privilege(id, needed) GROUP BY id
		UNION ALL
		SELECT format('GRANT USAGE ON SEQUENCE %s TO %I', used.oid::regclass, current_user)
		FROM target JOIN pg_attrdef ON adrelid = id
		JOIN pg_depend ON classid = 'pg_attrdef'::regclass AND objid = pg_attrdef.oid AND refclassid = 'pg_class'::regclass
		JOIN pg_class used ON used.oid = refobjid
		WHERE CASE used.relkind WHEN 'S' THEN NOT has_sequence_privilege(used.oid, 'USAGE') END`, db.Statement.Quote(table))
}

// lock implements [migrations]. From here on the transaction waits at most five seconds for a table, because other sessions
// would wait behind it. It plans a statement once for all tables: most of a start's time is that of planning GORM's queries of
// the catalog, which join many views.
func (postgresEngine) lock(tx *gorm.DB) error {
	if err := tx.Exec("SELECT pg_advisory_xact_lock(?)", migrationLock).Error; err != nil {
		return err
	}
	return tx.Exec("SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = 0; SET LOCAL plan_cache_mode = force_generic_plan").Error
}

// Migrator implements [gorm.Dialector].
func (e postgresEngine) Migrator(db *gorm.DB) gorm.Migrator {
	return postgresMigrator{e.Dialector.Migrator(db).(postgres.Migrator)}
}

// postgresMigrator leaves the columns that it finds as they are. GORM's own would alter them to match the model, and
// could truncate texts. What takes long with many rows it leaves to finish.
type postgresMigrator struct{ postgres.Migrator }

func (postgresMigrator) MigrateColumn(any, *schema.Field, gorm.ColumnType) error { return nil }

// CreateConstraint implements [gorm.Migrator]. The rows of a filled table are not checked against a rule yet.
func (m postgresMigrator) CreateConstraint(model any, name string) error {
	return m.RunWithValue(model, func(stmt *gorm.Statement) error {
		filled, err := isFilled(m.DB, stmt.Table)
		constraint, table := m.GuessConstraintInterfaceAndTable(stmt, name)
		check, isCheck := constraint.(*schema.CheckConstraint)
		if err != nil {
			return err
		}
		if !filled || !isCheck {
			return m.Migrator.CreateConstraint(model, name)
		}
		text, names := check.Build()
		return m.DB.Exec("ALTER TABLE ? ADD "+text+" NOT VALID", append([]any{clause.Table{Name: table}}, names...)...).Error
	})
}

// CreateIndex implements [gorm.Migrator]. A filled table does not get its index yet.
func (m postgresMigrator) CreateIndex(model any, name string) error {
	return m.RunWithValue(model, func(stmt *gorm.Statement) error {
		filled, err := isFilled(m.DB, stmt.Table)
		if err != nil || filled {
			return err
		}
		return m.Migrator.CreateIndex(model, name)
	})
}

var postgresTypes = map[schema.DataType]*regexp.Regexp{
	schema.Int:    regexp.MustCompile(`^(integer|bigint)$`),
	schema.Float:  regexp.MustCompile(`^(real|double precision|numeric)`),
	schema.String: regexp.MustCompile(`^(character varying|text)`),
	schema.Bool:   regexp.MustCompile(`^boolean$`),
	schema.Time:   regexp.MustCompile(`^timestamp`),
}

func (postgresEngine) fits(field schema.DataType, column string) bool {
	return postgresTypes[field] != nil && postgresTypes[field].MatchString(column)
}

func (postgresEngine) columns(db *gorm.DB, table string) ([]column, error) {
	return query[[]column](db, `SELECT attname AS name, format_type(atttypid, atttypmod) AS type,
		atttypid IN ('text'::regtype, 'varchar'::regtype) AS text,
		attnotnull AND NOT atthasdef AND attidentity = '' AS required
		FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped`,
		db.Statement.Quote(table))
}

func (postgresEngine) exact(db *gorm.DB, table, column string) (bool, error) {
	return query[bool](db, `SELECT atttypid IN ('text'::regtype, 'varchar'::regtype) AND collisdeterministic
		FROM pg_attribute JOIN pg_collation ON pg_collation.oid = attcollation
		WHERE attrelid = to_regclass(?) AND attname = ?`, db.Statement.Quote(table), column)
}

func (postgresEngine) ownerKeys(db *gorm.DB, table, users string) ([]ownerKey, error) {
	return query[[]ownerKey](db, `SELECT conname AS name,
		coalesce(confrelid = to_regclass(?), false) AND target.attname = 'id' AND confdeltype = 'c' AS right
		FROM pg_constraint
		JOIN pg_attribute own ON own.attrelid = conrelid AND conkey = ARRAY[own.attnum]
		JOIN pg_attribute target ON target.attrelid = confrelid AND confkey = ARRAY[target.attnum]
		WHERE contype = 'f' AND conrelid = to_regclass(?) AND own.attname = 'user_id'`,
		db.Statement.Quote(users), db.Statement.Quote(table))
}

func (postgresEngine) setOwnerKey(tx *gorm.DB, table, users string, keys []ownerKey, all bool) error {
	statement, names := "ALTER TABLE ? ", []any{clause.Table{Name: table}}
	for _, key := range keys {
		if all || key.Name == ownerKeyName(table) {
			statement += "DROP CONSTRAINT ?, "
			names = append(names, clause.Column{Name: key.Name})
		}
	}
	statement += "ADD CONSTRAINT ? FOREIGN KEY (user_id) REFERENCES ? (id) ON DELETE CASCADE"
	names = append(names, clause.Column{Name: ownerKeyName(table)}, clause.Table{Name: users})
	filled, err := isFilled(tx, table)
	if err != nil {
		return err
	}
	if filled {
		statement += " NOT VALID"
	}
	return tx.Exec(statement, names...).Error
}
