package diag

// Record is a message as "netc vet --json" prints it. Line and column are 0
// where the message is about no place in the file.
type Record struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Help     string `json:"help"`
}

// Records gives the list in its order; it is never nil, so that it encodes as
// a JSON array.
func (l List) Records() []Record {
	records := make([]Record, 0, len(l))
	for _, d := range l {
		records = append(records, Record{
			File:     d.Span.File,
			Line:     d.Span.Line,
			Column:   d.Span.Column,
			Severity: d.Severity.String(),
			Code:     d.Code,
			Message:  d.Message,
			Help:     d.Help,
		})
	}
	return records
}
