package transfer

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// lineInterval is how often progress is shown where there is no terminal.
const lineInterval = 5 * time.Second

// progress shows how many rows of a table a phase of the copy has done: a bar on a terminal, else a line every [lineInterval].
// It shows nothing for a table whose number of rows is not known.
type progress struct {
	w           io.Writer
	phase       string
	table       *table
	done        int
	bar         *progressbar.ProgressBar // nil without a terminal
	lastWritten time.Time
}

func newProgress(w io.Writer, phase string, t *table) *progress {
	p := &progress{w: w, phase: phase, table: t}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) && t.rows > 0 {
		p.bar = progressbar.NewOptions(t.rows, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(phase),
			progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	p.add(0)
	return p
}

// add counts rows.
func (p *progress) add(rows int) {
	p.done += rows
	if p.bar != nil {
		_ = p.bar.Set(p.done)
	} else if p.table.rows > 0 && time.Since(p.lastWritten) > lineInterval {
		fmt.Fprintf(p.w, "%s: %d of %d %s\n", p.phase, p.done, p.table.rows, p.table.name)
		p.lastWritten = time.Now()
	}
}

// end ends the line of the bar.
func (p *progress) end() {
	if p.bar != nil {
		fmt.Fprintln(p.w)
	}
}
