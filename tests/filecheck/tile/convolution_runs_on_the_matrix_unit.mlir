// RUN: tile{accumulators=8}
// TARGET: tests/targets/tiny.toml
// RESOURCE: w 3x3x8x16 random 1
// Rows are shared out with a halo: the coordinate of the first row differs by node (a scalar), and
// what lies outside the image is zero. Depth goes 4 at a time: 3 x 3 taps, 8 / 4 steps. The node's
// 4 x 2 blocks of 8 rows and 8 columns are summed side by side: each load serves several products.
#in = #mesh.layout<BF16, grid 2 x 3, [1, 8 by row step 4 offset -1 extent 6, 8, 8 physical 16]>
#w = #mesh.layout<BF16, grid 2 x 3, [3, 3, 8, 16]>
#out = #mesh.layout<BF16, grid 2 x 3, [1, 8 by row step 4, 8, 16]>
func.func @main(%x: tensor<1x8x8x8xbf16, #in>) -> tensor<1x8x8x16xbf16, #out> {
  %w = nn.constant {resource = "w", shape = [3, 3, 8, 16], element_type = bf16} : tensor<3x3x8x16xbf16, #w>
  %y = nn.fused %x, %w {loc = "node 'Conv_0'"} : (tensor<1x8x8x8xbf16, #in>, tensor<3x3x8x16xbf16, #w>) -> tensor<1x8x8x16xbf16, #out> {
  ^bb0(%a: tensor<1x8x8x8xf32>, %b: tensor<3x3x8x16xf32>):
    %c = nn.convolution %a, %b {strides = [1, 1], padding = [1, 1, 1, 1], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nhwc"} : (tensor<1x8x8x8xf32>, tensor<3x3x8x16xf32>) -> tensor<1x8x8x16xf32>
    nn.yield %c : tensor<1x8x8x16xf32>
  }
  func.return %y : tensor<1x8x8x16xbf16, #out>
}
// CHECK: tile.kernel @convolution_0
// CHECK: tile.acc_zero
// CHECK: tile.for level 0 times 3
// CHECK: tile.for level 1 times 3
// CHECK: tile.for level 2 times 2
// CHECK: tile.load_raw {{.*}} bytes 8 padded y0 {{.*}}pitch 32{{.*}}y_limit 5{{.*}}gstep 1
// CHECK: tile.load_raw {{.*}} bytes 16 {{.*}}pitch 32
// CHECK-COUNT-8: tile.mma
// CHECK: tile.acc_read {{.*}} part 3
// CHECK: tile.program @main grid [2 : i64, 3 : i64]
// CHECK: tile.image {{.*}} holds "w"
// CHECK: tile.call @convolution_0({{.*}}) {{.*}}mark "node 'Conv_0'"
