package middleware

import (
	"errors"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"taskapi/models"
)

const (
	// maxLists is how many requests for lists one user may have in flight: those that are made, and those that wait for a turn.
	maxLists = 32
	// listBlock is the unit of the memory for lists, in bytes.
	listBlock = 64 << 10
	// maxListMemory is the limit of all lists in memory, and maxListShare that of one user's, in blocks: 128 and 64 MB.
	maxListMemory = 128 << 20 / listBlock
	maxListShare  = maxListMemory / 2
	// smallList is the size, in blocks, up to which a list may use the last eighth of the memory. It passes that size only
	// if a quarter of the memory and half of the share are free then, so that some large lists end instead of none.
	smallList = 1 << 20 / listBlock
	// keptBlocks are kept for the next lists, beside as many as are in use. The system gets others after giveBackTime.
	keptBlocks   = 64
	giveBackTime = 2 * time.Second
)

var (
	errListMemory = models.Unavailable(errors.New("the memory for lists is used up"))
	errListSize   = &models.Error{
		Status: http.StatusServiceUnavailable, Detail: "The list is larger than the server's memory for answers: ask for fewer rows with limit",
	}
)

// listMemory counts the memory that the lists of all users use.
type listMemory struct {
	mu         sync.Mutex
	used       int // in blocks
	free       [][]byte
	users      map[string]*listShare
	givingBack bool
}

// listShare is what one user's lists use.
type listShare struct{ making, blocks int }

// begin counts a list in the making. It reports whether the user may have it.
func (m *listMemory) begin(l *List) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.share = m.users[l.user]
	if l.share == nil {
		l.share = &listShare{}
		m.users[l.user] = l.share
	}
	if l.share.making == maxLists {
		return false
	}
	l.share.making++
	return true
}

// end ends the making of a list, which may stay in memory.
func (m *listMemory) end(l *List) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.share.making--
	m.forget(l)
}

// forget drops the share of a user who has no list any more. The caller holds the lock.
func (m *listMemory) forget(l *List) {
	if *l.share == (listShare{}) {
		delete(m.users, l.user)
	}
}

// take adds a block to a list. If it cannot, it empties the list and returns the request's error.
func (m *listMemory) take(l *List) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	memory, share := maxListMemory, maxListShare
	switch size := len(l.blocks); {
	case size == smallList:
		memory, share = maxListMemory*3/4, maxListShare/2
	case size > smallList:
		memory = maxListMemory * 7 / 8
	}
	var err error
	switch {
	case len(l.blocks) == maxListShare:
		err = errListSize
	case l.share.blocks >= share:
		err = fiber.ErrTooManyRequests
	case m.used >= memory:
		err = errListMemory
	}
	if err != nil {
		m.empty(l)
		return err
	}
	if len(m.free) == 0 {
		m.free = append(m.free, make([]byte, 0, listBlock))
	}
	last := len(m.free) - 1
	l.blocks, l.Buffers = append(l.blocks, m.free[last]), append(l.Buffers, m.free[last])
	m.free = m.free[:last]
	m.used++
	l.share.blocks++
	return nil
}

// release empties a list. A list that is empty may belong to a share that is forgotten.
func (m *listMemory) release(l *List) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(l.blocks) > 0 {
		m.empty(l)
		m.forget(l)
	}
}

// empty frees a list's blocks. The caller holds the lock.
func (m *listMemory) empty(l *List) {
	m.free = append(m.free, l.blocks...)
	m.used -= len(l.blocks)
	l.share.blocks -= len(l.blocks)
	l.blocks, l.Buffers = nil, nil
	if !m.givingBack && len(m.free) > m.used+keptBlocks {
		m.givingBack = true
		time.AfterFunc(giveBackTime, m.giveBack)
	}
}

// giveBack returns memory to the system. The runtime alone would return it after its next collection, which is minutes away
// if the server has nothing to do.
func (m *listMemory) giveBack() {
	m.mu.Lock()
	m.givingBack = false
	if keep := m.used + keptBlocks; len(m.free) > keep {
		m.free = slices.Clone(m.free[:keep])
	}
	m.mu.Unlock()
	debug.FreeOSMemory()
}
