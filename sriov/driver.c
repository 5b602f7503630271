/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * driver.c: see driver.h. Each entry names where it is from: files of DPDK 22.11's drivers/net, of
 * Linux's drivers/net/ethernet for the PF, or "seen" on an emulated device. Drivers that are not
 * here get one of the defaults, which for VFs expect little.
 */
#include "driver.h"

#include <stddef.h>
#include <string.h>

static const struct driver drivers[] = {
	/*
	 * 82576, I350. igb: igb_set_vf_promisc() grants groups only, and e1000/igb_ethdev.c drops
	 * the answer; allmulticast was seen to do nothing, so groups go by list, of which
	 * e1000/base/e1000_vf.c sends 30. VLANs seen. Seen: deaf after the PF was down.
	 */
	{.name = "net_e1000_igb_vf",
	 .is_vf = true,
	 .promiscuous = DRIVER_WORD_FALSE,
	 .allmulticast = DRIVER_WORD_FALSE,
	 .groups_max = 30,
	 .filters_vlans = true,
	 .restarts_on_link_up = true},
	/*
	 * 82599, X540, X550. ixgbe/ixgbe_sriov.c: ixgbe_update_vf_xcast_mode() makes a lesser mode
	 * of the wish of an untrusted VF and says 0; promiscuous also takes an X540 or newer, and a
	 * PF in that mode, else it is refused. 30 groups: ixgbe/base/ixgbe_vf.c. Its pool in the
	 * NIC's VLAN table is empty but for VLAN 0. A PF that was down has forgotten the VF.
	 */
	{.name = "net_ixgbe_vf",
	 .is_vf = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUSTED,
	 .groups_max = 30,
	 .filters_vlans = true,
	 .restarts_on_link_up = true},
	/* txgbe/txgbe_ethdev_vf.c, txgbe/base/txgbe_vf.c: ixgbevf's mailbox, limits and words */
	{.name = "net_txgbe_vf",
	 .is_vf = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUSTED,
	 .groups_max = 30,
	 .filters_vlans = true,
	 .restarts_on_link_up = true},
	/* from DPDK 25.03 on: as txgbe, of the same maker */
	{.name = "net_ngbe_vf",
	 .is_vf = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUSTED,
	 .groups_max = 30,
	 .filters_vlans = true,
	 .restarts_on_link_up = true},
	/*
	 * 700 and E800 series. i40e_virtchnl_pf.c and ice_virtchnl.c answer success to an untrusted
	 * VF's wish for either mode ("lie to the VF") and do nothing. They filter VLANs only from
	 * the first one on that is asked for, and ice says success to those that are too many: so
	 * nothing is asked for. A reset is told by event (iavf/iavf_vchnl.c).
	 */
	{.name = "net_iavf",
	 .is_vf = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUSTED},
	/*
	 * ConnectX-4 and newer. mlx5/core/eswitch.c and esw/legacy.c: the rx mode of a vport that
	 * is not trusted is cleared without a word. VLANs pass unless filtering is asked for.
	 * common/mlx5/mlx5_common_pci.c, mlx5_common_auxiliary.c: the names.
	 */
	{.name = "mlx5_pci",
	 .has_nics = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUSTED,
	 .is_kernels = true},
	{.name = "mlx5_auxiliary",
	 .has_nics = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUSTED,
	 .is_kernels = true},
	/* ConnectX-3: mlx4/mlx4.c has both lists; its PF knows of no trust */
	{.name = "net_mlx4",
	 .has_nics = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUSTED,
	 .is_kernels = true},
	/*
	 * hns3/hns3_ethdev_vf.c, hns3vf_set_promisc_mode(): either mode takes trust, and VLANs are
	 * filtered even then. It recovers from resets by itself (hns3vf_reset_service()).
	 */
	{.name = "net_hns3_vf",
	 .is_vf = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUSTED,
	 .filters_vlans = true},
	/*
	 * bnxt/bnxt_ethdev.c: an untrusted VF may not even add an address (-ENOTSUP); more than 16
	 * groups are all groups. Linux's bnxt_promisc_ok(): promiscuous takes trust. It recovers by
	 * itself (bnxt_dev_recover()).
	 */
	{.name = "net_bnxt",
	 .has_nics = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUE},
	/* qlogic/qed/qed_sriov.c: unmatched frames are masked out of the mode of who isn't trusted
	 */
	{.name = "net_qede_vf",
	 .is_vf = true,
	 .promiscuous = DRIVER_WORD_TRUSTED,
	 .allmulticast = DRIVER_WORD_TRUSTED,
	 .filters_vlans = true,
	 .restarts_on_link_up = true},
	/*
	 * Seen with QEMU, also as a VF of virtio's. virtio/virtio_ethdev.h asks for the feature
	 * CTRL_VLAN, with which a device lets in, if not promiscuous, only the VLANs asked for.
	 * virtio_mac_addr_add() sends the addresses up to the first empty place of its table.
	 * virtio_dev_start() turns on as many pairs of queues as there are of either kind.
	 */
	{.name = "net_virtio", .filters_vlans = true, .pairs_queues = true, .stops_at_hole = true},
	{.name = "net_virtio_user", .pairs_queues = true}, /* the same code */
	/* The clouds' NICs get frames for their own address only, and have no call for more:
	 * ena/ena_ethdev.c, gve/gve_ethdev.c, mana/mana.c */
	{.name = "net_ena", .promiscuous = DRIVER_WORD_FALSE, .allmulticast = DRIVER_WORD_FALSE},
	{.name = "net_gve", .promiscuous = DRIVER_WORD_FALSE, .allmulticast = DRIVER_WORD_FALSE},
	{.name = "net_mana", .promiscuous = DRIVER_WORD_FALSE, .allmulticast = DRIVER_WORD_FALSE},
};

static const struct driver unknown_vf = {
	.name = "",
	.is_vf = true,
	.promiscuous = DRIVER_WORD_TRUSTED,
	.allmulticast = DRIVER_WORD_TRUSTED,
	.filters_vlans = true,
	.restarts_on_link_up = true,
};

static const struct driver unknown_nic = {.name = ""}; /* does what it says */

const struct driver *
driver_find(const char *name, bool is_vf)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strcmp(drivers[i].name, name) == 0 && (is_vf || !drivers[i].has_nics))
			return &drivers[i];
	return is_vf ? &unknown_vf : &unknown_nic;
}
