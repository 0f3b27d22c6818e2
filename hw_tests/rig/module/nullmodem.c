// SPDX-License-Identifier: GPL-2.0
/*
 * nullmodem: serial ports joined in pairs by a null-modem cable, inside the kernel.
 *
 * /dev/ttyNM0 <-> /dev/ttyNM1, /dev/ttyNM2 <-> /dev/ttyNM3, ...  Each is an ordinary serial_core port that behaves like
 * a 16550A: a 16-byte FIFO that TIOCOUTQ leaves out, TCOFLUSH spares and a lost CTS does not hold; a shift register
 * paced by the baud rate; RTS -> CTS, DTR -> DSR and DCD, break, RS-485 direction control.
 *
 * In debugfs, nullmodem/ttyNM<n>/ has what no cable offers:
 *   stalled     1: the shift register stands still, with whatever the FIFO holds
 *   loopback    1: a plug on the port instead of the cable (TX-RX, RTS-CTS, DTR-DSR-DCD)
 *   transceiver 1: an RS-485 transceiver whose driver-enable is RTS: a byte shifted while RTS is low is lost
 *   plugged     0: the port is taken out; 1: put back under the same name
 *   sent, cut   bytes whose last bit has been shifted out; those among them that the transceiver lost
 *   turnaround_ns  from the last bit shifted out until RTS was next lowered
 */
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/serial.h>
#include <linux/serial_core.h>
#include <linux/tty.h>
#include <linux/tty_flip.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#define FIFO_SIZE 16
#define TICK_NS NSEC_PER_MSEC
#define MAX_BAUD 4000000

static unsigned int pairs = 2;
module_param(pairs, uint, 0444);
MODULE_PARM_DESC(pairs, "number of cables (each joins two ports)");

struct nm_port {
	struct uart_port uart;
	struct hrtimer shifter;
	struct work_struct lines; /* notices what the far end did to its modem lines */
	struct mutex plugging;
	bool plugged;

	/* under uart.lock */
	unsigned char fifo[FIFO_SIZE];
	unsigned int fill;
	bool tx_on, rx_on; /* between startup and shutdown, start and stop */
	bool shifting; /* the shifter is armed */
	bool driving; /* RS-485: RTS is ours for a transmission */
	unsigned int outputs; /* TIOCM_RTS, TIOCM_DTR as serial_core asked for them */
	unsigned int inputs; /* the lines as we last told serial_core */
	u64 frame_ns, owed_ns;
	ktime_t last, last_bit;

	/* debugfs */
	bool stalled, loopback, transceiver;
	u64 sent, cut, turnaround_ns;
};

static struct nm_port *ports;
static struct platform_device *platform;
static struct dentry *debugfs;
static struct uart_driver driver = {
	.owner = THIS_MODULE,
	.driver_name = "nullmodem",
	.dev_name = "ttyNM",
};

#define to_nm(port) container_of(port, struct nm_port, uart)

/* The other end of the cable; the port itself when it wears a plug; NULL when the other end does. */
static struct nm_port *far_end(struct nm_port *nm)
{
	struct nm_port *neighbour = &ports[nm->uart.line ^ 1];

	if (READ_ONCE(nm->loopback))
		return nm;
	return READ_ONCE(neighbour->loopback) ? NULL : neighbour;
}

/* serial_core's transmit ring became a kfifo in 6.10 */
static bool ring_empty(struct uart_port *port)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	return kfifo_is_empty(&port->state->port.xmit_fifo);
#else
	return uart_circ_empty(&port->state->xmit);
#endif
}

static void ring_take(struct uart_port *port, unsigned char *byte)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	if (!uart_fifo_get(port, byte))
		*byte = 0;
#else
	*byte = port->state->xmit.buf[port->state->xmit.tail];
	uart_xmit_advance(port, 1);
#endif
}

static unsigned int ring_fill(struct uart_port *port)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	return kfifo_len(&port->state->port.xmit_fifo);
#else
	return uart_circ_chars_pending(&port->state->xmit);
#endif
}

static bool may_refill(struct nm_port *nm)
{
	return nm->tx_on && !uart_tx_stopped(&nm->uart) && !ring_empty(&nm->uart);
}

static void refill(struct nm_port *nm)
{
	if (nm->uart.x_char && nm->fill < FIFO_SIZE) {
		nm->fifo[nm->fill++] = nm->uart.x_char;
		nm->uart.x_char = 0;
		nm->uart.icount.tx++;
	}
	while (nm->fill < FIFO_SIZE && may_refill(nm))
		ring_take(&nm->uart, &nm->fifo[nm->fill++]);
	if (ring_fill(&nm->uart) < WAKEUP_CHARS)
		uart_write_wakeup(&nm->uart);
}

/* RTS as it is on the wire */
static bool rts(struct nm_port *nm)
{
	struct serial_rs485 *rs485 = &nm->uart.rs485;

	if (!(rs485->flags & SER_RS485_ENABLED))
		return nm->outputs & TIOCM_RTS;
	return rs485->flags & (nm->driving ? SER_RS485_RTS_ON_SEND : SER_RS485_RTS_AFTER_SEND);
}

static void lines_changed(struct nm_port *nm)
{
	struct nm_port *far = far_end(nm);

	/* later, on its own: the far end's lock must not be taken inside ours */
	if (far)
		queue_work(system_highpri_wq, &far->lines);
}

static void set_driving(struct nm_port *nm, bool driving)
{
	bool was = rts(nm);

	nm->driving = driving;
	if (was && !rts(nm))
		nm->turnaround_ns = ktime_to_ns(ktime_sub(ktime_get(), nm->last_bit));
	lines_changed(nm);
}

static void receive(struct nm_port *nm, const unsigned char *bytes, unsigned int count)
{
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&nm->uart.lock, flags);
	if (nm->rx_on) {
		for (i = 0; i < count; i++) {
			nm->uart.icount.rx++;
			uart_insert_char(&nm->uart, 0, 0, bytes[i], TTY_NORMAL);
		}
		tty_flip_buffer_push(&nm->uart.state->port);
	}
	spin_unlock_irqrestore(&nm->uart.lock, flags);
}

static void arm(struct nm_port *nm)
{
	u64 delay = max_t(u64, TICK_NS, nm->frame_ns);

	if (nm->shifting)
		return;
	nm->shifting = true;
	nm->owed_ns = 0;
	if (nm->uart.rs485.flags & SER_RS485_ENABLED && !nm->driving) {
		set_driving(nm, true);
		delay += (u64)nm->uart.rs485.delay_rts_before_send * NSEC_PER_MSEC;
	}
	nm->last = ktime_add_ns(ktime_get(), delay - max_t(u64, TICK_NS, nm->frame_ns));
	hrtimer_start(&nm->shifter, ns_to_ktime(delay), HRTIMER_MODE_REL_SOFT);
}

static enum hrtimer_restart shift(struct hrtimer *timer)
{
	struct nm_port *nm = container_of(timer, struct nm_port, shifter);
	struct nm_port *far = far_end(nm);
	unsigned char bytes[512];
	unsigned int count = 0;
	u64 next = max_t(u64, TICK_NS, nm->frame_ns);
	ktime_t now = ktime_get();
	unsigned long flags;
	bool more;

	spin_lock_irqsave(&nm->uart.lock, flags);
	if (!nm->stalled)
		nm->owed_ns += max_t(s64, 0, ktime_to_ns(ktime_sub(now, nm->last)));
	nm->last = now;
	refill(nm);
	while (nm->fill && nm->owed_ns >= nm->frame_ns && count < sizeof(bytes) && !nm->stalled) {
		nm->owed_ns -= nm->frame_ns;
		nm->sent++;
		nm->last_bit = now;
		if (nm->transceiver && !rts(nm))
			nm->cut++;
		else
			bytes[count++] = nm->fifo[0];
		memmove(nm->fifo, nm->fifo + 1, --nm->fill);
		refill(nm);
	}
	more = nm->fill || may_refill(nm);
	if (!more && nm->driving) { /* one more tick: the delay, then RTS falls */
		u64 after = (u64)nm->uart.rs485.delay_rts_after_send * NSEC_PER_MSEC;

		if (ktime_to_ns(ktime_sub(now, nm->last_bit)) >= after) {
			set_driving(nm, false);
		} else {
			next = after;
			more = true;
		}
	}
	nm->shifting = more;
	spin_unlock_irqrestore(&nm->uart.lock, flags);

	if (count && far)
		receive(far, bytes, count);
	if (!more)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(next));
	return HRTIMER_RESTART;
}

static unsigned int nm_get_mctrl(struct uart_port *port)
{
	struct nm_port *far = far_end(to_nm(port));
	unsigned int lines = 0;

	if (far && rts(far))
		lines |= TIOCM_CTS;
	if (far && far->outputs & TIOCM_DTR)
		lines |= TIOCM_DSR | TIOCM_CAR;
	return lines;
}

static void watch_lines(struct work_struct *work)
{
	struct nm_port *nm = container_of(work, struct nm_port, lines);
	unsigned int now, changed;
	unsigned long flags;

	spin_lock_irqsave(&nm->uart.lock, flags);
	now = nm_get_mctrl(&nm->uart);
	changed = now ^ nm->inputs;
	nm->inputs = now;
	if (changed && nm->rx_on) {
		if (changed & TIOCM_CTS)
			uart_handle_cts_change(&nm->uart, now & TIOCM_CTS);
		if (changed & TIOCM_DSR)
			nm->uart.icount.dsr++;
		if (changed & TIOCM_CAR)
			uart_handle_dcd_change(&nm->uart, now & TIOCM_CAR);
		wake_up_interruptible(&nm->uart.state->port.delta_msr_wait);
	}
	spin_unlock_irqrestore(&nm->uart.lock, flags);
}

static void nm_set_mctrl(struct uart_port *port, unsigned int mctrl)
{
	struct nm_port *nm = to_nm(port);
	bool was = rts(nm);

	nm->outputs = mctrl;
	if (was && !rts(nm))
		nm->turnaround_ns = ktime_to_ns(ktime_sub(ktime_get(), nm->last_bit));
	lines_changed(nm);
}

static unsigned int nm_tx_empty(struct uart_port *port)
{
	return to_nm(port)->fill ? 0 : TIOCSER_TEMT;
}

static void nm_start_tx(struct uart_port *port)
{
	to_nm(port)->tx_on = true;
	arm(to_nm(port));
}

static void nm_stop_tx(struct uart_port *port)
{
	to_nm(port)->tx_on = false;
}

static void nm_send_xchar(struct uart_port *port, char ch)
{
	unsigned long flags;

	spin_lock_irqsave(&port->lock, flags);
	port->x_char = ch;
	arm(to_nm(port));
	spin_unlock_irqrestore(&port->lock, flags);
}

static void nm_stop_rx(struct uart_port *port)
{
	to_nm(port)->rx_on = false;
}

static void nm_break_ctl(struct uart_port *port, int on)
{
	struct nm_port *far = far_end(to_nm(port));
	unsigned long flags;

	if (!on || !far)
		return;
	spin_lock_irqsave(&far->uart.lock, flags);
	if (far->rx_on) {
		far->uart.icount.brk++;
		uart_insert_char(&far->uart, 0, 0, 0, TTY_BREAK);
		tty_flip_buffer_push(&far->uart.state->port);
	}
	spin_unlock_irqrestore(&far->uart.lock, flags);
}

static int nm_startup(struct uart_port *port)
{
	struct nm_port *nm = to_nm(port);
	unsigned long flags;

	spin_lock_irqsave(&port->lock, flags);
	nm->fill = 0;
	nm->rx_on = true;
	nm->inputs = nm_get_mctrl(port);
	spin_unlock_irqrestore(&port->lock, flags);
	return 0;
}

static void nm_shutdown(struct uart_port *port)
{
	struct nm_port *nm = to_nm(port);
	unsigned long flags;

	spin_lock_irqsave(&port->lock, flags);
	nm->tx_on = false;
	nm->rx_on = false;
	spin_unlock_irqrestore(&port->lock, flags);
	hrtimer_cancel(&nm->shifter);
	spin_lock_irqsave(&port->lock, flags);
	nm->shifting = false;
	nm->fill = 0;
	if (nm->driving)
		set_driving(nm, false);
	spin_unlock_irqrestore(&port->lock, flags);
}

static void nm_set_termios(struct uart_port *port, struct ktermios *new, const struct ktermios *old)
{
	unsigned int baud = uart_get_baud_rate(port, new, old, 50, MAX_BAUD);
	unsigned long flags;

	spin_lock_irqsave(&port->lock, flags);
	to_nm(port)->frame_ns = div_u64((u64)tty_get_frame_size(new->c_cflag) * NSEC_PER_SEC, baud);
	uart_update_timeout(port, new->c_cflag, baud);
	spin_unlock_irqrestore(&port->lock, flags);
	tty_termios_encode_baud_rate(new, baud, baud);
}

static int nm_rs485_config(struct uart_port *port, struct ktermios *termios, struct serial_rs485 *rs485)
{
	port->rs485 = *rs485; /* serial_core would do it too, but only after the far end has looked */
	lines_changed(to_nm(port));
	return 0;
}

static const char *nm_type(struct uart_port *port)
{
	return "nullmodem";
}

static void nm_release_port(struct uart_port *port)
{
}

static int nm_request_port(struct uart_port *port)
{
	return 0;
}

static void nm_config_port(struct uart_port *port, int flags)
{
	port->type = PORT_16550A;
}

static const struct uart_ops operations = {
	.tx_empty = nm_tx_empty,
	.set_mctrl = nm_set_mctrl,
	.get_mctrl = nm_get_mctrl,
	.start_tx = nm_start_tx,
	.stop_tx = nm_stop_tx,
	.send_xchar = nm_send_xchar,
	.stop_rx = nm_stop_rx,
	.break_ctl = nm_break_ctl,
	.startup = nm_startup,
	.shutdown = nm_shutdown,
	.set_termios = nm_set_termios,
	.type = nm_type,
	.release_port = nm_release_port,
	.request_port = nm_request_port,
	.config_port = nm_config_port,
};

static int plugged_get(void *data, u64 *value)
{
	*value = ((struct nm_port *)data)->plugged;
	return 0;
}

static int plugged_set(void *data, u64 value)
{
	struct nm_port *nm = data;
	int error = 0;

	mutex_lock(&nm->plugging);
	if (value && !nm->plugged) {
		nm->uart.flags = UPF_BOOT_AUTOCONF;
		nm->uart.type = PORT_16550A;
		error = uart_add_one_port(&driver, &nm->uart);
		nm->plugged = !error;
	} else if (!value && nm->plugged) {
		nm->plugged = false;
		uart_remove_one_port(&driver, &nm->uart);
	}
	mutex_unlock(&nm->plugging);
	return error;
}
DEFINE_DEBUGFS_ATTRIBUTE(plugged, plugged_get, plugged_set, "%llu\n");

static int loopback_get(void *data, u64 *value)
{
	*value = ((struct nm_port *)data)->loopback;
	return 0;
}

static int loopback_set(void *data, u64 value)
{
	struct nm_port *nm = data;

	WRITE_ONCE(nm->loopback, !!value);
	queue_work(system_highpri_wq, &nm->lines);
	queue_work(system_highpri_wq, &ports[nm->uart.line ^ 1].lines);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(loopback, loopback_get, loopback_set, "%llu\n");

static void __init set_up(struct nm_port *nm, unsigned int line)
{
	struct dentry *folder;
	char name[16];

	nm->uart.line = line;
	nm->uart.dev = &platform->dev;
	nm->uart.ops = &operations;
	nm->uart.fifosize = FIFO_SIZE;
	nm->uart.uartclk = 16 * MAX_BAUD;
	nm->uart.iotype = UPIO_MEM;
	nm->uart.mapbase = line + 1; /* serial_core takes a port with no address for an absent one */
	nm->uart.rs485_config = nm_rs485_config;
	nm->uart.rs485_supported = (struct serial_rs485){
		.flags = SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND | SER_RS485_RTS_AFTER_SEND,
		.delay_rts_before_send = 1,
		.delay_rts_after_send = 1,
	};
	spin_lock_init(&nm->uart.lock);
	mutex_init(&nm->plugging);
	INIT_WORK(&nm->lines, watch_lines);
	hrtimer_init(&nm->shifter, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	nm->shifter.function = shift;
	nm->frame_ns = 10 * NSEC_PER_SEC / 9600;

	snprintf(name, sizeof(name), "ttyNM%u", line);
	folder = debugfs_create_dir(name, debugfs);
	debugfs_create_bool("stalled", 0600, folder, &nm->stalled);
	debugfs_create_bool("transceiver", 0600, folder, &nm->transceiver);
	debugfs_create_file_unsafe("loopback", 0600, folder, nm, &loopback);
	debugfs_create_file_unsafe("plugged", 0600, folder, nm, &plugged);
	debugfs_create_u64("sent", 0400, folder, &nm->sent);
	debugfs_create_u64("cut", 0600, folder, &nm->cut);
	debugfs_create_u64("turnaround_ns", 0400, folder, &nm->turnaround_ns);
}

static void take_down(void)
{
	unsigned int line;

	debugfs_remove_recursive(debugfs);
	for (line = 0; line < driver.nr; line++)
		plugged_set(&ports[line], 0);
	for (line = 0; line < driver.nr; line++) {
		hrtimer_cancel(&ports[line].shifter);
		cancel_work_sync(&ports[line].lines);
	}
	uart_unregister_driver(&driver);
	platform_device_unregister(platform);
	kfree(ports);
}

static int __init nm_init(void)
{
	unsigned int line;
	int error;

	driver.nr = 2 * pairs;
	ports = kcalloc(driver.nr, sizeof(*ports), GFP_KERNEL);
	if (!ports)
		return -ENOMEM;
	error = uart_register_driver(&driver);
	if (error) {
		kfree(ports);
		return error;
	}
	platform = platform_device_register_simple("nullmodem", -1, NULL, 0);
	debugfs = debugfs_create_dir("nullmodem", NULL);
	for (line = 0; line < driver.nr; line++)
		set_up(&ports[line], line);
	for (line = 0; line < driver.nr && !error; line++)
		error = plugged_set(&ports[line], 1);
	if (error)
		take_down();
	return error;
}

module_init(nm_init);
module_exit(take_down);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Serial ports joined in pairs by a null-modem cable");
