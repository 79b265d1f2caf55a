// RUN: canonicalise
// CHECK: %[[S:.*]] = nn.add %x, %y : tensor<8xf32>
// CHECK-NEXT: nn.broadcast_in_dim %[[S]] {dims = [1], shape = [4, 8]}
func.func @main(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<4x8xf32> {
  %a = nn.broadcast_in_dim %x {dims = [1], shape = [4, 8]} : (tensor<8xf32>) -> tensor<4x8xf32>
  %b = nn.broadcast_in_dim %y {dims = [1], shape = [4, 8]} : (tensor<8xf32>) -> tensor<4x8xf32>
  %c = nn.add %a, %b : tensor<4x8xf32>
  func.return %c : tensor<4x8xf32>
}
