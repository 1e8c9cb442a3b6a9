// A DNS server made with the library that CoreDNS is made with, set up as CoreDNS sets it up: one
// query after the other on each TCP and TLS connection, as many as a client likes; any number at a
// time over UDP; names compressed only where a reply would not fit, or would be fragmented.
//
// It answers what the name asks for; labels from the left:
//
//	d150.…   waits 150 milliseconds first
//	n20.…    has 20 addresses (A, AAAA) or targets (SRV, with their addresses)
//	nx.…     does not exist
//	fail.…   is a server failure
//	never.…  is not answered
//
// Class CH, type TXT, name "counts." says how it was asked: "accepted=3 open=1 most=2 queries=7",
// where the first three count TCP and TLS connections. This question itself is not counted.
//
// Usage: cluster_dns -dns ADDRESS:PORT [-tls ADDRESS:PORT -cert FILE -key FILE]. It prints "ready"
// once it serves.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	ttl = 30
	// CoreDNS compresses longer datagrams although they fit, so that they are not fragmented.
	unfragmented = 1480
	// CoreDNS's default (`timeouts { idle }`).
	idleTimeout = 10 * time.Second
)

var queries int64

// connections counts those of one or more listeners.
type connections struct {
	sync.Mutex
	accepted, open, most int
}

func (c *connections) count(opened bool) {
	c.Lock()
	defer c.Unlock()
	if !opened {
		c.open--
		return
	}
	c.accepted++
	c.open++
	if c.open > c.most {
		c.most = c.open
	}
}

var connected connections

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	connected.count(true)
	return &connection{Conn: inner}, nil
}

type connection struct {
	net.Conn
	once sync.Once
}

func (c *connection) Close() error {
	c.once.Do(func() { connected.count(false) })
	return c.Conn.Close()
}

// numberOf returns the number that a label carries behind its letter: 150 for "d150".
func numberOf(label string, letter byte) (int, bool) {
	if len(label) < 2 || label[0] != letter {
		return 0, false
	}
	number, err := strconv.Atoi(label[1:])
	return number, err == nil
}

func answer(w dns.ResponseWriter, query *dns.Msg) {
	question := query.Question[0]
	if question.Qclass == dns.ClassCHAOS {
		write(w, query, counts(query))
		return
	}
	atomic.AddInt64(&queries, 1)
	if opt := query.IsEdns0(); opt != nil && opt.Version() != 0 {
		reply := new(dns.Msg)
		reply.SetReply(query)
		reply.SetEdns0(opt.UDPSize(), false)
		reply.Rcode = dns.RcodeBadVers
		w.WriteMsg(reply)
		return
	}
	reply := new(dns.Msg)
	reply.SetReply(query)
	// As CoreDNS's plugin kubernetes: the zone's own server, without recursion.
	reply.Authoritative = true
	count := 1
	for _, label := range strings.Split(strings.ToLower(question.Name), ".") {
		if wait, ok := numberOf(label, 'd'); ok {
			time.Sleep(time.Duration(wait) * time.Millisecond)
		} else if number, ok := numberOf(label, 'n'); ok {
			count = number
		} else if label == "nx" {
			reply.Rcode = dns.RcodeNameError
		} else if label == "fail" {
			failed := new(dns.Msg)
			failed.SetRcode(query, dns.RcodeServerFailure)
			write(w, query, failed)
			return
		} else if label == "never" {
			return
		}
	}
	if reply.Rcode == dns.RcodeSuccess {
		for i := 1; i <= count; i++ {
			addRecord(reply, question, i)
		}
	}
	if len(reply.Answer) == 0 {
		soa, _ := dns.NewRR("cluster.test. 30 IN SOA ns.cluster.test. admin.cluster.test. 1 7200 1800 86400 30")
		reply.Ns = append(reply.Ns, soa)
	}
	write(w, query, reply)
}

func addRecord(reply *dns.Msg, question dns.Question, number int) {
	header := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: ttl}
	switch question.Qtype {
	case dns.TypeA:
		reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: net.IPv4(192, 0, 2, byte(number))})
	case dns.TypeAAAA:
		address := net.ParseIP(fmt.Sprintf("2001:db8::%x", number))
		reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: address})
	case dns.TypeSRV:
		target := fmt.Sprintf("pod-%d.%s", number, question.Name)
		reply.Answer = append(reply.Answer, &dns.SRV{Hdr: header, Weight: 50, Port: 80, Target: target})
		header.Name, header.Rrtype = target, dns.TypeA
		reply.Extra = append(reply.Extra, &dns.A{Hdr: header, A: net.IPv4(192, 0, 2, byte(number))})
	}
}

func counts(query *dns.Msg) *dns.Msg {
	connected.Lock()
	text := fmt.Sprintf("accepted=%d open=%d most=%d queries=%d",
		connected.accepted, connected.open, connected.most, atomic.LoadInt64(&queries))
	connected.Unlock()
	reply := new(dns.Msg)
	reply.SetReply(query)
	header := dns.RR_Header{Name: query.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassCHAOS}
	reply.Answer = []dns.RR{&dns.TXT{Hdr: header, Txt: []string{text}}}
	return reply
}

// write finishes a reply as CoreDNS's scrub writer does: the client's OPT comes back without the
// options that CoreDNS does not know, and the reply is cut to what the client takes.
func write(w dns.ResponseWriter, query *dns.Msg, reply *dns.Msg) {
	size := dns.MinMsgSize
	if opt := query.IsEdns0(); opt != nil {
		size = int(opt.UDPSize())
		own := new(dns.OPT)
		own.Hdr = dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: opt.UDPSize()}
		if opt.Do() {
			own.SetDo()
		}
		for _, option := range opt.Option {
			switch option.Option() {
			case dns.EDNS0NSID, dns.EDNS0EXPIRE, dns.EDNS0COOKIE, dns.EDNS0TCPKEEPALIVE, dns.EDNS0PADDING:
				own.Option = append(own.Option, option)
			}
		}
		reply.Extra = append(reply.Extra, own)
	}
	_, overUDP := w.RemoteAddr().(*net.UDPAddr)
	if !overUDP {
		size = dns.MaxMsgSize
	}
	reply.Truncate(size)
	if overUDP && !reply.Compress && reply.Len() > unfragmented {
		reply.Compress = true
	}
	w.WriteMsg(reply)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	dnsAddress := flag.String("dns", "", "address and port for UDP and TCP")
	tlsAddress := flag.String("tls", "", "address and port for DNS over TLS")
	certFile := flag.String("cert", "", "PEM file of the certificate")
	keyFile := flag.String("key", "", "PEM file of its key")
	flag.Parse()

	packets, err := net.ListenPacket("udp", *dnsAddress)
	if err != nil {
		fail(err)
	}
	plain, err := net.Listen("tcp", *dnsAddress)
	if err != nil {
		fail(err)
	}
	servers := []*dns.Server{{PacketConn: packets, Net: "udp"}, {Listener: listener{plain}, Net: "tcp"}}
	if *tlsAddress != "" {
		certificate, err := tls.LoadX509KeyPair(*certFile, *keyFile)
		if err != nil {
			fail(err)
		}
		below, err := net.Listen("tcp", *tlsAddress)
		if err != nil {
			fail(err)
		}
		encrypted := tls.NewListener(listener{below}, &tls.Config{Certificates: []tls.Certificate{certificate}})
		servers = append(servers, &dns.Server{Listener: encrypted, Net: "tcp-tls"})
	}
	var started sync.WaitGroup
	for _, server := range servers {
		server.Handler = dns.HandlerFunc(answer)
		server.MaxTCPQueries = -1
		server.IdleTimeout = func() time.Duration { return idleTimeout }
		server.NotifyStartedFunc = started.Done
		started.Add(1)
		go func(server *dns.Server) {
			if err := server.ActivateAndServe(); err != nil {
				fail(err)
			}
		}(server)
	}
	started.Wait()
	fmt.Println("ready")
	select {}
}
