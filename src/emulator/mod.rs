//! Emulators: one provider a file, speaking its real protocol on loopback, with faults to order.
