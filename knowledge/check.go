package knowledge

import "time"

// Check reports what reads badly.
func (b *Base) Check(now time.Time) Problems { return nil }

// Against reports phrasings that nearly copy a row.
func (b *Base) Against(rows []string) Problems { return nil }
