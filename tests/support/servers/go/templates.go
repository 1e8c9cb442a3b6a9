// Evaluates templates by Go's text/template and reads records by miekg/dns, as CoreDNS does with what
// its plugin template is given. One request a line on standard input, one answer a line on standard
// output, both JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"text/template"

	"github.com/miekg/dns"
)

type request struct {
	Template string
	Record   string
	Name     string
	Match    []string
	Group    map[string]string
}

type answer struct {
	Text  string
	Wire  string
	Error string
}

type data struct {
	Zone, Name, Class, Type, Remote string
	Match                           []string
	Group                           map[string]string
	Message                         *dns.Msg
	Question                        *dns.Question
}

func (data) Meta(string) string { return "" }

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var asked request
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			panic(err)
		}
		out.Encode(respond(asked))
	}
}

func respond(asked request) answer {
	if asked.Record != "" {
		return readRecord(asked.Record)
	}
	functions := template.FuncMap{"parseInt": strconv.ParseUint}
	parsed, err := template.New("record").Funcs(functions).Parse(asked.Template)
	if err != nil {
		return answer{Error: err.Error()}
	}
	message := new(dns.Msg)
	message.SetQuestion("Www.Example.org.", dns.TypeA)
	message.Id = 4711
	text := new(bytes.Buffer)
	err = parsed.Execute(text, data{
		Zone: "example.org.", Name: "www.example.org.", Class: "IN", Type: "A", Remote: "192.0.2.1",
		Match: asked.Match, Group: asked.Group, Message: message, Question: &message.Question[0],
	})
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Text: text.String()}
}

func readRecord(text string) answer {
	record, err := dns.NewRR(text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	if record == nil {
		return answer{Error: "no record"}
	}
	wire := make([]byte, 65535)
	length, err := dns.PackRR(record, wire, 0, nil, false)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Wire: hex.EncodeToString(wire[:length])}
}
