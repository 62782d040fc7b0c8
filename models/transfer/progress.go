package transfer

import (
	"fmt"
	"io"
	"time"
)

// lineInterval is how often progress is shown.
const lineInterval = 5 * time.Second

// progress shows how many rows of a table a phase of the copy has done, in a line every [lineInterval]. It shows nothing for
// a table whose number of rows is not known.
type progress struct {
	w           io.Writer
	phase       string
	table       *table
	done        int
	lastWritten time.Time
}

func newProgress(w io.Writer, phase string, t *table) *progress {
	p := &progress{w: w, phase: phase, table: t}
	p.add(0)
	return p
}

// add counts rows.
func (p *progress) add(rows int) {
	p.done += rows
	if p.table.rows > 0 && time.Since(p.lastWritten) > lineInterval {
		fmt.Fprintf(p.w, "%s: %d of %d %s\n", p.phase, p.done, p.table.rows, p.table.name)
		p.lastWritten = time.Now()
	}
}
